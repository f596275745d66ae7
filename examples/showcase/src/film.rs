//! Pictures in a file: an animated GIF, or only the last picture as a PNG.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::light::{Canvas, palette};

/// The time that a picture is shown, in hundredths of a second.
const DELAY: u16 = 4;

/// A file for pictures.
#[derive(Debug)]
pub struct Film {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Gif(Box<gif::Encoder<BufWriter<File>>>),
    /// A PNG of the last picture, which `finish` writes.
    Png(Option<Canvas>),
}

impl Film {
    /// Creates a film. The ending of the name selects the kind: `.gif` or `.png`. This method
    /// creates the file of a GIF, and `finish` that of a PNG.
    pub fn new(path: &Path, width: usize, height: usize) -> Result<Self, FilmError> {
        let failed = |why| FilmError { path: path.to_owned(), why };
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
        let kind = match &*ending {
            "gif" => {
                let file = BufWriter::new(File::create(path).map_err(|error| failed(error.into()))?);
                let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
                    return Err(failed(Why::TooLarge));
                };
                let encoder = gif::Encoder::new(file, width, height, &palette()).and_then(|mut encoder| {
                    encoder.set_repeat(gif::Repeat::Infinite)?;
                    Ok(encoder)
                });
                Kind::Gif(Box::new(encoder.map_err(|error| failed(io::Error::other(error).into()))?))
            }
            "png" => Kind::Png(None),
            _ => return Err(failed(Why::Ending)),
        };
        Ok(Film { path: path.to_owned(), kind })
    }

    /// Adds a picture, which must have the size that was passed to `new`.
    pub fn show(&mut self, canvas: &Canvas) -> Result<(), FilmError> {
        let Film { path, kind } = self;
        match kind {
            Kind::Png(last) => {
                *last = Some(canvas.clone());
                Ok(())
            }
            Kind::Gif(encoder) => {
                let mut frame = gif::Frame {
                    width: canvas.width() as u16, // `new` has checked the size
                    height: canvas.height() as u16,
                    delay: DELAY,
                    buffer: canvas.indices().into(),
                    ..gif::Frame::default()
                };
                frame.make_lzw_pre_encoded();
                let written = encoder.write_lzw_pre_encoded_frame(&frame);
                written.map_err(|error| FilmError { path: path.clone(), why: io::Error::other(error).into() })
            }
        }
    }

    /// Completes the GIF, or writes the PNG.
    pub fn finish(self) -> Result<(), FilmError> {
        let Film { path, kind } = self;
        let written = match kind {
            Kind::Gif(encoder) => encoder.into_inner().map_err(io::Error::other).and_then(|mut file| file.flush()),
            Kind::Png(None) => Ok(()),
            Kind::Png(Some(canvas)) => write_png(&path, &canvas),
        };
        written.map_err(|error| FilmError { path, why: error.into() })
    }
}

fn write_png(path: &Path, canvas: &Canvas) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, canvas.width() as u32, canvas.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.rgb())?;
    Ok(writer.finish()?)
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Gif(_) => "Gif",
            Kind::Png(_) => "Png",
        })
    }
}

/// The reason why a file could not be written.
#[derive(Debug)]
pub struct FilmError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Ending,
    TooLarge,
    Io(io::Error),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Why::Io(error)
    }
}

impl fmt::Display for FilmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Ending => write!(f, "cannot write {path}: the name must end in .gif or .png"),
            Why::TooLarge => write!(f, "cannot write {path}: a GIF has at most 65,535 pixels a side"),
            Why::Io(error) => write!(f, "cannot write {path}: {error}"),
        }
    }
}

impl std::error::Error for FilmError {}
