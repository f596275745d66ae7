//! A dark canvas on which light of two hues adds up.
//!
//! The programs draw light instead of colour: much light makes a pixel bright, and in the end
//! white, as on film. A GIF has 256 colours: 16 levels of one hue times 16 of the other. A pattern
//! of dots imitates the levels in between.

/// The amounts of red, green and blue in each hue.
const HUES: [[f32; 3]; 2] = [[1.0, 0.46, 0.16], [0.16, 0.42, 1.0]];

/// The number of levels of one hue in the palette.
const LEVELS: usize = 16;

/// The two hues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hue {
    Warm,
    Cool,
}

/// The light of two hues for each pixel.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    light: [Vec<f32>; 2],
}

impl Canvas {
    /// Creates a dark canvas.
    pub fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, light: [vec![0.0; width * height], vec![0.0; width * height]] }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Makes the canvas dark again.
    pub fn clear(&mut self) {
        self.light.iter_mut().for_each(|light| light.fill(0.0));
    }

    /// Dims the canvas to a share of its light.
    pub fn dim(&mut self, share: f32) {
        self.light.iter_mut().flatten().for_each(|light| *light *= share);
    }

    /// Adds a point of light, distributed over the four nearest pixels. Light outside the canvas is
    /// not visible.
    pub fn add(&mut self, hue: Hue, x: f32, y: f32, light: f32) {
        let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
        let (right_share, bottom_share) = (x - 0.5 - left, y - 0.5 - top);
        for (dx, share_x) in [(0.0, 1.0 - right_share), (1.0, right_share)] {
            for (dy, share_y) in [(0.0, 1.0 - bottom_share), (1.0, bottom_share)] {
                let (x, y) = (left + dx, top + dy);
                if x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32 {
                    self.light[hue as usize][y as usize * self.width + x as usize] += light * share_x * share_y;
                }
            }
        }
    }

    /// Adds a glow: a share of the light, spread over the neighbouring pixels as by a lens.
    pub fn glow(&mut self, share: f32, radius: usize) {
        for light in &mut self.light {
            let mut halo = light.clone();
            // Three box filters, one after another, approximate a bell curve.
            for _ in 0..3 {
                blur(&mut halo, self.width, self.height, radius);
            }
            for (light, halo) in light.iter_mut().zip(halo) {
                *light += share * halo;
            }
        }
    }

    /// Returns the picture as bytes of red, green and blue.
    pub fn rgb(&self) -> Vec<u8> {
        let [warm, cool] = &self.light;
        warm.iter().zip(cool).flat_map(|(&warm, &cool)| colour([warm, cool])).collect()
    }

    /// Returns the picture as indices into [`palette`].
    pub fn indices(&self) -> Vec<u8> {
        let [warm, cool] = &self.light;
        let pixels = warm.iter().zip(cool).enumerate();
        let index = |(pixel, (&warm, &cool))| {
            let (x, y) = (pixel % self.width, pixel / self.width);
            level(warm, threshold(x, y)) * LEVELS + level(cool, threshold(x + 7, y + 3))
        };
        pixels.map(|pixel| index(pixel) as u8).collect()
    }
}

/// Returns the 256 colours for [`Canvas::indices`].
pub fn palette() -> Vec<u8> {
    let light = |level: usize| {
        let seen = level as f32 / (LEVELS - 1) as f32;
        -(1.0 - (seen * seen).min(0.995)).ln()
    };
    (0..LEVELS * LEVELS).flat_map(|index| colour([light(index / LEVELS), light(index % LEVELS)])).collect()
}

/// Returns the brightness of light. It grows more and more slowly with the light, and never exceeds
/// 1.
fn seen(light: f32) -> f32 {
    (1.0 - (-light).exp()).sqrt()
}

fn colour(light: [f32; 2]) -> [u8; 3] {
    std::array::from_fn(|part| {
        let sum: f32 = light.iter().zip(HUES).map(|(light, hue)| light * hue[part]).sum();
        (seen(sum) * 255.0).round() as u8
    })
}

/// Returns the level of a hue. Between two levels, some pixels of the pattern get the higher one.
fn level(light: f32, threshold: f32) -> usize {
    let exact = seen(light) * (LEVELS - 1) as f32;
    // Nearly dark pixels are dark, without a scatter of dots.
    if exact < 0.4 { 0 } else { ((exact + threshold) as usize).min(LEVELS - 1) }
}

/// Returns a threshold from 0 to 1 that differs between neighbours: interleaved gradient noise.
fn threshold(x: usize, y: usize) -> f32 {
    (52.982_918 * (0.067_110_56 * x as f32 + 0.005_837_15 * y as f32).fract()).fract()
}

/// Replaces each pixel by the mean of those within the radius, first along the rows and then along
/// the columns. Pixels outside the canvas count as dark.
fn blur(light: &mut [f32], width: usize, height: usize, radius: usize) {
    let mut line = Vec::new();
    let lines = (0..height).map(|y| (y * width, 1, width)).chain((0..width).map(|x| (x, width, height)));
    for (start, step, count) in lines {
        line.clear();
        line.extend((0..count).map(|n| light[start + n * step]));
        let mut sum: f32 = line.iter().take(radius).sum();
        for n in 0..count {
            sum += line.get(n + radius).copied().unwrap_or(0.0);
            light[start + n * step] = sum.max(0.0) / (2 * radius + 1) as f32;
            sum -= n.checked_sub(radius).map_or(0.0, |gone| line[gone]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_adds_up_and_is_lost_only_outside_the_canvas() {
        let mut canvas = Canvas::new(8, 8);
        canvas.add(Hue::Warm, 3.25, 4.75, 1.0);
        canvas.add(Hue::Warm, 3.25, 4.75, 2.0);
        canvas.add(Hue::Warm, -1.0, 100.0, 1.0);
        assert!((canvas.light[0].iter().sum::<f32>() - 3.0).abs() < 1e-6);
        assert_eq!(canvas.light[1], [0.0; 64]);
    }

    #[test]
    fn a_glow_adds_its_share_of_the_light() {
        let mut canvas = Canvas::new(41, 41);
        canvas.add(Hue::Cool, 20.5, 20.5, 1.0);
        canvas.glow(0.5, 3);
        assert!((canvas.light[1].iter().sum::<f32>() - 1.5).abs() < 1e-4);
    }

    #[test]
    fn the_dark_is_black_and_much_light_is_white() {
        let mut canvas = Canvas::new(1, 1);
        assert_eq!((canvas.rgb(), canvas.indices()), (vec![0; 3], vec![0]));
        assert_eq!(palette()[..3], [0; 3]);
        canvas.add(Hue::Warm, 0.5, 0.5, 1e3);
        canvas.add(Hue::Cool, 0.5, 0.5, 1e3);
        assert_eq!((canvas.rgb(), canvas.indices()), (vec![255; 3], vec![255]));
    }
}
