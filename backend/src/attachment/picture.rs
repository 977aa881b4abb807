//! Looking into pictures: how large they are, and a small form of them. Their metadata is gone by then ([`super::clean`]).
//!
//! Decoders of pictures are where programs have been broken into. So this is done by a process of its own: the program
//! starts itself as `confab picture`, which gets the file and nothing else, and gives up whatever else it could do
//! ([`super::confine`]). If it dies, the file is one without a small form.
//!
//! Its answer on standard output: one line of JSON, `{"width", "height", "animated", "mediaType", "small"}`, then `small`
//! bytes of the small form.

use super::{animation, confine, kind};
use anyhow::{Context, bail};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use serde::{Deserialize, Serialize};
use std::io::{self, Cursor, Read, Write};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// The name of the command that does the work.
pub const COMMAND: &str = "picture";

/// A side of the small form has so many pixels at most.
const SMALL_SIDE: u32 = 800;
/// The small form, in bytes: one that has more loses quality, then pixels.
const SMALL_BYTES_MAX: usize = 200 * 1024;
/// Qualities of a JPEG that are tried before it loses pixels.
const SMALL_QUALITIES: [u8; 3] = [80, 60, 40];
/// A side of a picture that is looked into.
const SIDE_MAX: u32 = 30_000;
/// Its pixels: a picture of 50 megapixels, more than cameras in telephones make of one.
const PIXELS_MAX: u64 = 50_000_000;
/// What decoding may allocate, in bytes.
const DECODE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// How long its answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a turn is waited for.
const TURN_PATIENCE: Duration = Duration::from_secs(60);
/// The first line of its answer.
const HEAD_BYTES_MAX: u64 = 1024;

/// What is known of a picture.
#[derive(Debug)]
pub struct Picture {
    /// In pixels, as it is seen.
    pub width: u32,
    /// In pixels, as it is seen.
    pub height: u32,
    /// Whether it has several frames.
    pub is_animated: bool,
    /// The media type of the small form.
    pub small_type: &'static str,
    /// The small form.
    pub small: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    width: u32,
    height: u32,
    animated: bool,
    media_type: String,
    small: u64,
}

/// Too many pictures wait to be looked into.
#[derive(Debug)]
pub struct Busy;

/// Looks into pictures, so many at a time.
#[derive(Debug)]
pub struct Pictures {
    turns: Semaphore,
}

impl Default for Pictures {
    fn default() -> Self {
        // Each may take a gigabyte of memory.
        Self { turns: Semaphore::new(2) }
    }
}

impl Pictures {
    /// Size and small form of a picture; `None` if it cannot be read, or not within its bounds.
    ///
    /// # Errors
    /// [`Busy`], if too many wait for their turn.
    pub async fn look(&self, file: std::fs::File) -> Result<Option<Picture>, Busy> {
        // The semaphore is never closed.
        let turn = tokio::time::timeout(TURN_PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Busy) };
        Ok(match tokio::time::timeout(PATIENCE, ask(file)).await {
            Ok(Ok(picture)) => Some(picture),
            Ok(Err(error)) => {
                tracing::info!(%error, "picture.not_read");
                None
            }
            Err(_) => {
                tracing::warn!("picture.took_too_long");
                None
            }
        })
    }
}

/// Starts the process and reads its answer.
async fn ask(file: std::fs::File) -> anyhow::Result<Picture> {
    let mut child = Command::new(program()?)
        .arg(COMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the process cannot be started")?;
    let mut answer = BufReader::new(child.stdout.take().context("it has no output")?);
    let head = read_head(&mut answer).await?;
    if head.small > SMALL_BYTES_MAX as u64 {
        bail!("its answer is too large");
    }
    let small_type = if head.media_type == "image/jpeg" { "image/jpeg" } else { "image/png" };
    let mut small = vec![0; usize::try_from(head.small)?];
    answer.read_exact(&mut small).await.context("its answer was cut off")?;
    Ok(Picture { width: head.width, height: head.height, is_animated: head.animated, small_type, small })
}

async fn read_head(answer: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> anyhow::Result<Head> {
    use tokio::io::AsyncBufReadExt;
    let mut line = String::new();
    answer.take(HEAD_BYTES_MAX).read_line(&mut line).await?;
    if line.is_empty() {
        bail!("it is none that can be read");
    }
    serde_json::from_str(&line).context("its answer cannot be read")
}

/// This program, also when its file was replaced by a newer one.
fn program() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// `confab picture`: reads a picture from standard input and answers on standard output.
///
/// # Errors
/// When it is no picture, or too large to be looked into.
pub fn run() -> anyhow::Result<()> {
    #[cfg(all(debug_assertions, target_os = "linux"))]
    for (fault, is_confined) in [("picture_attempts", true), ("picture_attempts_unconfined", false)] {
        if crate::fault::is_on(fault) {
            serde_json::to_writer(io::stdout().lock(), &confine::attempts(is_confined)?)?;
            return Ok(());
        }
    }
    confine::confine()?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let picture = look_into(&bytes)?;
    let head = Head {
        width: picture.width,
        height: picture.height,
        animated: picture.is_animated,
        media_type: picture.small_type.to_owned(),
        small: picture.small.len() as u64,
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &head)?;
    out.write_all(b"\n")?;
    out.write_all(&picture.small)?;
    out.flush()?;
    Ok(())
}

fn look_into(bytes: &[u8]) -> anyhow::Result<Picture> {
    let head = &bytes[..bytes.len().min(kind::HEAD_BYTES)];
    let format = kind::picture(kind::of(head)).context("it is no picture")?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        bail!("it has {width} × {height} pixels");
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let image = DynamicImage::from_decoder(decoder)?;
    let mut small = if width.max(height) > SMALL_SIDE { image.thumbnail(SMALL_SIDE, SMALL_SIDE) } else { image };
    if let Some(profile) = profile {
        small = in_srgb(small, &profile);
    }
    small.apply_orientation(orientation);
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let (width, height) = if is_turned { (height, width) } else { (width, height) };
    let (small_type, small) = write_small(small)?;
    Ok(Picture { width, height, is_animated: animation::is_animated(bytes, format), small_type, small })
}

/// Converts colours to sRGB, which a picture without a profile has. If the profile cannot be read, or is of other colours
/// than the picture has been decoded to, the picture stays as it is.
fn in_srgb(image: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return image };
    let (from, bytes) = match profile.color_space {
        DataColorSpace::Rgb => (Layout::Rgba, image.to_rgba8().into_raw()),
        DataColorSpace::Gray if !image.color().has_color() => (Layout::GrayAlpha, image.to_luma_alpha8().into_raw()),
        _ => return image,
    };
    let srgb = ColorProfile::new_srgb();
    let mut converted = RgbaImage::new(image.width(), image.height());
    let transform = profile.create_transform_8bit(from, &srgb, Layout::Rgba, TransformOptions::default());
    match transform.and_then(|transform| transform.transform(&bytes, &mut converted)) {
        Ok(()) => converted.into(),
        Err(_) => image,
    }
}

/// The small form with at most [`SMALL_BYTES_MAX`] bytes, and its media type: PNG if something can be seen through it,
/// JPEG if not.
fn write_small(image: DynamicImage) -> anyhow::Result<(&'static str, Vec<u8>)> {
    // Formats that could have transparency say so even if no pixel has.
    let is_opaque = !image.color().has_alpha() || image.to_rgba8().pixels().all(|pixel| pixel[3] == u8::MAX);
    let mut form: DynamicImage = if is_opaque { image.to_rgb8().into() } else { image.to_rgba8().into() };
    loop {
        let (media_type, bytes) =
            if is_opaque { ("image/jpeg", write_jpeg(&form)?) } else { ("image/png", write_png(&form)?) };
        if bytes.len() <= SMALL_BYTES_MAX {
            return Ok((media_type, bytes));
        }
        // The loop ends: a single pixel fits.
        let side = form.width().max(form.height()) * 3 / 4;
        form = form.thumbnail(side, side);
    }
}

fn write_png(image: &DynamicImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut bytes))?;
    Ok(bytes)
}

/// In the best of [`SMALL_QUALITIES`] that fits, or the worst.
fn write_jpeg(image: &DynamicImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for quality in SMALL_QUALITIES {
        bytes.clear();
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))?;
        if bytes.len() <= SMALL_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage, Rgba};
    use img_parts::jpeg::Jpeg;
    use img_parts::png::Png;
    use img_parts::{ImageEXIF, ImageICC};

    fn write(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("written");
        bytes.into_inner()
    }

    /// 40 × 20, its left half red.
    fn flag() -> DynamicImage {
        RgbImage::from_fn(40, 20, |x, _| if x < 20 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }).into()
    }

    fn with_exif(jpeg: Vec<u8>, exif: &[u8]) -> Vec<u8> {
        let mut jpeg = Jpeg::from_bytes(jpeg.into()).expect("a JPEG");
        jpeg.set_exif(Some(exif.to_vec().into()));
        let mut bytes = Vec::new();
        jpeg.encoder().write_to(&mut bytes).expect("written");
        bytes
    }

    #[test]
    fn every_format_gives_its_size_and_a_small_form() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let picture = look_into(&write(&flag(), format)).expect("a picture");
            assert_eq!((picture.width, picture.height), (40, 20), "{format:?}");
            let small = image::load_from_memory(&picture.small).expect("a picture");
            assert_eq!((small.width(), small.height()), (40, 20), "{format:?}");
        }
    }

    #[test]
    fn a_large_picture_becomes_small_and_keeps_its_shape() {
        let large = DynamicImage::from(RgbImage::new(3_000, 1_500));
        let picture = look_into(&write(&large, ImageFormat::Png)).expect("a picture");
        assert_eq!((picture.width, picture.height), (3_000, 1_500));
        let small = image::load_from_memory(&picture.small).expect("a picture");
        assert_eq!((small.width(), small.height()), (800, 400));
    }

    #[test]
    fn what_can_be_seen_through_stays_so() {
        let image = DynamicImage::from(RgbaImage::from_pixel(9, 9, Rgba([1, 2, 3, 4])));
        let picture = look_into(&write(&image, ImageFormat::Png)).expect("a picture");
        assert_eq!(picture.small_type, "image/png");
        assert_eq!(image::load_from_memory(&picture.small).expect("a picture").to_rgba8()[(0, 0)], Rgba([1, 2, 3, 4]));
    }

    /// Bytes like noise.
    fn noise() -> impl FnMut() -> u8 {
        let mut state = 1_u32;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }
    }

    /// A photograph of 800 × 800 as a format with losses gives it: small in that, large in any other.
    fn photograph() -> DynamicImage {
        let mut noise = noise();
        let image = RgbImage::from_fn(800, 800, |x, y| {
            let grain = noise() / 4;
            Rgb([(x / 5) as u8 + grain, (y / 5) as u8 + grain, 100 + grain])
        });
        let mut bytes = Vec::new();
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 30)).expect("written");
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        image::load_from_memory(&bytes).expect("a picture")
    }

    #[test]
    fn a_photograph_has_a_small_form_of_at_most_200_kb_in_any_format() {
        let photograph = photograph();
        let opaque = DynamicImage::from(photograph.to_rgba8());
        let mut seen_through = photograph.to_rgba8();
        seen_through[(0, 0)] = Rgba([0, 0, 0, 0]);
        let png = write(&opaque, ImageFormat::Png);
        assert!(png.len() > 2 * SMALL_BYTES_MAX, "{}", png.len());
        let small = look_into(&png).expect("a picture");
        assert_eq!(
            (small.small_type, image::guess_format(&small.small).expect("one")),
            ("image/jpeg", ImageFormat::Jpeg)
        );
        assert!(small.small.len() <= SMALL_BYTES_MAX, "{}", small.small.len());
        let (media_type, small) = write_small(seen_through.into()).expect("written");
        assert_eq!((media_type, image::guess_format(&small).expect("one")), ("image/png", ImageFormat::Png));
        assert!(small.len() <= SMALL_BYTES_MAX, "{}", small.len());
        assert!(image::load_from_memory(&small).expect("a picture").to_rgba8()[(0, 0)][3] < u8::MAX);
    }

    #[test]
    fn noise_of_any_shape_has_a_small_form_of_at_most_200_kb() {
        let mut noise = noise();
        for (width, height) in [(800, 800), (800, 300), (20, 800)] {
            let image = RgbaImage::from_fn(width, height, |_, _| Rgba([noise(), noise(), noise(), noise()]));
            let opaque = DynamicImage::from(image.clone()).to_rgb8();
            for image in [DynamicImage::from(image), opaque.into()] {
                let (_, small) = write_small(image).expect("written");
                assert!(small.len() <= SMALL_BYTES_MAX, "{width} × {height}: {}", small.len());
                let small = image::load_from_memory(&small).expect("a picture");
                let shape = f64::from(small.width()) / f64::from(small.height());
                assert!(
                    (shape / f64::from(width) * f64::from(height) - 1.0).abs() < 0.2,
                    "it keeps its shape: {shape}"
                );
            }
        }
    }

    #[test]
    fn the_small_form_is_the_right_way_up() {
        // Orientation 6: to be turned right.
        let block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let picture = look_into(&with_exif(write(&flag(), ImageFormat::Jpeg), block)).expect("a picture");
        assert_eq!((picture.width, picture.height), (20, 40));
        let small = image::load_from_memory(&picture.small).expect("a picture").to_rgb8();
        assert_eq!(small.dimensions(), (20, 40));
        assert!(small[(10, 2)][0] > 200 && small[(10, 37)][2] > 200, "its left is up");
    }

    #[test]
    fn a_small_form_has_the_colours_of_the_picture() {
        // A profile in which what is stored as red is the green of sRGB, and the other way round.
        let mut swapped = ColorProfile::new_srgb();
        (swapped.red_colorant, swapped.green_colorant) = (swapped.green_colorant, swapped.red_colorant);
        let profile = swapped.encode().expect("a profile");
        let red = DynamicImage::from(RgbImage::from_pixel(40, 20, Rgb([255, 0, 0])));
        let png = {
            let mut png = Png::from_bytes(write(&red, ImageFormat::Png).into()).expect("a PNG");
            png.set_icc_profile(Some(profile.clone().into()));
            let mut bytes = Vec::new();
            png.encoder().write_to(&mut bytes).expect("written");
            bytes
        };
        let jpeg = {
            let mut jpeg = Jpeg::from_bytes(write(&red, ImageFormat::Jpeg).into()).expect("a JPEG");
            jpeg.set_icc_profile(Some(profile.into()));
            let mut bytes = Vec::new();
            jpeg.encoder().write_to(&mut bytes).expect("written");
            bytes
        };
        for bytes in [png, jpeg] {
            let small = look_into(&bytes).expect("a picture").small;
            let Rgb([r, g, b]) = image::load_from_memory(&small).expect("a picture").to_rgb8()[(9, 9)];
            assert!(g > 230 && r < 40 && b < 40, "{r} {g} {b}");
        }
        // A profile that cannot be read changes nothing.
        let mut png = Png::from_bytes(write(&red, ImageFormat::Png).into()).expect("a PNG");
        png.set_icc_profile(Some(b"no profile".to_vec().into()));
        let mut bytes = Vec::new();
        png.encoder().write_to(&mut bytes).expect("written");
        let small = look_into(&bytes).expect("a picture").small;
        assert!(image::load_from_memory(&small).expect("a picture").to_rgb8()[(9, 9)][0] > 230);
    }

    #[test]
    fn what_is_none_or_too_much_is_refused() {
        assert!(look_into(b"GIF89a").is_err());
        assert!(look_into(b"no picture at all").is_err());
        let whole = write(&flag(), ImageFormat::Png);
        assert!(look_into(&whole[..whole.len() / 2]).is_err());
        // Says that it has so many pixels on each side: more than a side may have, and more than all may have.
        let flood = |side: u32| {
            let mut flood = whole.clone();
            flood[16..20].copy_from_slice(&side.to_be_bytes());
            flood[20..24].copy_from_slice(&side.to_be_bytes());
            let sum = crc32fast::hash(&flood[12..29]);
            flood[29..33].copy_from_slice(&sum.to_be_bytes());
            look_into(&flood).expect_err("too much").to_string()
        };
        assert!(!flood(60_000).is_empty());
        // The pixels it lacks would be no reason before they are looked for.
        assert_eq!(flood(20_000), "it has 20000 × 20000 pixels");
    }
}
