//! The view of the bodies.

use showcase::light::Canvas;

use crate::space::Bodies;

/// The height of the view in space.
const HEIGHT: f64 = 6.0;

/// Draws the bodies as seen by a slowly turning camera, at a time from 0 to 1.
pub(crate) fn shoot(bodies: &Bodies, time: f64, canvas: &mut Canvas) {
    canvas.clear();
    let (width, height) = (canvas.width() as f64, canvas.height() as f64);
    let scale = height / HEIGHT;
    // The brightness is independent of the number of bodies and the size of the picture.
    let exposure = 0.40 * (height * height) / bodies.points.len() as f64;
    for (point, (hue, light)) in bodies.points.iter().zip(&bodies.lights) {
        let [x, y, _] = point.position.turned(2, 0.25 - 0.5 * time).turned(0, 0.5 - 0.3 * time).0;
        let (x, y) = (width / 2.0 + x * scale, height / 2.0 - y * scale);
        canvas.add(*hue, x as f32, y as f32, light * exposure as f32);
    }
    canvas.glow(0.5, 2);
    canvas.glow(0.25, canvas.height() / 50 + 1);
}
