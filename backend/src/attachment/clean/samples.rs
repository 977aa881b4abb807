//! Samples, one of each format, with a place written wherever a camera or a program could write it, and what must hold of
//! all of them.

use super::{Fault, Format, Size, number, walk};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage};
use std::io::Cursor;

/// Stands for a place. Eight bytes, so that it fits where a time does.
const PLACE: &[u8; 8] = b"52.5200N";
/// Stands for a picture or a sound, which must stay.
const DATA: &[u8; 8] = b"\x01picture";

fn cleaned(bytes: &[u8]) -> Result<(Vec<u8>, Option<Size>), Fault> {
    let mut medium = Cursor::new(bytes.to_vec());
    let size = walk(&mut medium, Format::of(&bytes[..bytes.len().min(8192)]))?;
    Ok((medium.into_inner(), size))
}

fn whole(bytes: &[u8]) -> Vec<u8> {
    cleaned(bytes).expect("it can be walked").0
}

fn count(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text).count()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn write(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::from_fn(40, 20, |x, y| Rgb([x as u8 * 6, y as u8 * 12, 99]));
    DynamicImage::from(image).write_to(&mut bytes, format).expect("written");
    bytes.into_inner()
}

/// An Exif block in this order of bytes: orientation 6, a directory of GPS, a note of the maker, a thumbnail.
fn exif(is_big: bool) -> Vec<u8> {
    let short = |number: u16| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let long = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut block = Vec::from(if is_big { *b"MM\0*" } else { *b"II*\0" });
    block.extend(long(8));
    block.extend(short(2));
    // Orientation, then the place of the directory of GPS.
    block.extend([short(0x112), short(3)].concat());
    block.extend(long(1));
    block.extend([short(6), short(0)].concat());
    block.extend([short(0x8825), short(4)].concat());
    block.extend(long(1));
    block.extend(long(38));
    block.extend(long(0));
    // A text in the directory of GPS.
    block.extend(short(1));
    block.extend([short(0x1d), short(2)].concat());
    block.extend([long(8), long(56), long(0)].concat());
    block.extend_from_slice(PLACE);
    block.extend_from_slice(b"MakerNote\0");
    block.extend_from_slice(PLACE);
    block
}

fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len() + 2).expect("short").to_be_bytes();
    joined(&[&[0xff, marker], &length, &content])
}

fn jpeg() -> Vec<u8> {
    let plain = write(ImageFormat::Jpeg);
    let (head, rest) = plain.split_at(2);
    joined(&[
        head,
        &segment(0xe0, &[b"JFIF\0\x01\x01\0\0\x48\0\x48\x01\x03", PLACE, b"!"]),
        &segment(0xe0, &[b"JFXX\0\x10", PLACE]),
        &segment(0xe1, &[b"Exif\0\0", &exif(true)]),
        &segment(0xe1, &[b"Exif\0\0", &exif(false)]),
        &segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>", PLACE]),
        &segment(0xe1, &[b"http://ns.adobe.com/xmp/extension/\0", PLACE]),
        &segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", b"a profile"]),
        &segment(0xe2, &[b"MPF\0", PLACE]),
        &segment(0xed, &[b"Photoshop 3.0\08BIM", PLACE]),
        &segment(0xee, &[b"Adobe\0\x64\0\0\0\0\x01", PLACE]),
        &segment(0xef, &[PLACE]),
        &segment(0xfe, &[PLACE]),
        &segment(0xf0, &[PLACE]),
        b"\xff\xff",
        rest,
        // A second picture and a film behind the first.
        b"\xff\xd8",
        &segment(0xe1, &[b"Exif\0\0", &exif(false)]),
        b"\xff\xd9\0\0\0\x18ftypmp42",
        PLACE,
    ])
}

fn chunk(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = joined(&[kind, &parts.concat()]);
    let length = u32::try_from(content.len() - 4).expect("short").to_be_bytes();
    joined(&[&length, &content, &crc32fast::hash(&content).to_be_bytes()])
}

fn png() -> Vec<u8> {
    let plain = write(ImageFormat::Png);
    let (head, rest) = plain.split_at(33);
    let (rest, end) = rest.split_at(rest.len() - 12);
    joined(&[
        head,
        &chunk(b"tEXt", &[b"Author\0", PLACE]),
        &chunk(b"zTXt", &[b"Raw profile type exif\0\0", PLACE]),
        &chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", PLACE]),
        &chunk(b"tIME", &[PLACE]),
        &chunk(b"pHYs", &[b"\0\0\x0b\x13\0\0\x0b\x13\x01"]),
        &chunk(b"prVt", &[PLACE]),
        &chunk(b"eXIf", &[&exif(true)]),
        // A film of one picture, and one that is not seen.
        &chunk(b"acTL", &[&[0, 0, 0, 1, 0, 0, 0, 0]]),
        rest,
        &chunk(b"eXIf", &[&exif(false)]),
        end,
        PLACE,
    ])
}

fn gif() -> Vec<u8> {
    let block = [&[8][..], PLACE, &[0]].concat();
    joined(&[
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff",
        &joined(&[b"\x21\xfe", &block]),
        &joined(&[b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0", &block]),
        &joined(&[b"\x21\xff\x0bXMP DataXMP", &block]),
        &joined(&[b"\x21\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0", &block]),
        b"\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\0",
        &joined(&[b"\x21\xfe", &block]),
        b"\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;",
        PLACE,
    ])
}

fn riff_chunk(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let padding = &[0][..content.len() % 2];
    joined(&[kind, &u32::try_from(content.len()).expect("short").to_le_bytes(), &content, padding])
}

fn riff(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = joined(&[kind, &chunks.concat()]);
    joined(&[b"RIFF", &u32::try_from(content.len()).expect("short").to_le_bytes(), &content])
}

fn webp() -> Vec<u8> {
    let plain = write(ImageFormat::WebP);
    let picture = plain[12..].to_vec();
    let frame = riff_chunk(b"ANMF", &[&[0; 16], &riff_chunk(b"XTRA", &[PLACE, b"odd"]), &picture]);
    let chunks = [
        riff_chunk(b"VP8X", &[&[0x0c, 0, 0, 0, 39, 0, 0, 19, 0, 0]]),
        riff_chunk(b"XTRA", &[PLACE]),
        picture,
        frame,
        riff_chunk(b"EXIF", &[&exif(false)]),
        riff_chunk(b"EXIF", &[b"Exif\0\0", &exif(true)]),
        riff_chunk(b"XMP ", &[PLACE, b"odd"]),
    ];
    joined(&[&riff(b"WEBP", &chunks), PLACE])
}

fn wave() -> Vec<u8> {
    let chunks = [
        riff_chunk(b"bext", &[PLACE]),
        riff_chunk(b"fmt ", &[b"\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0"]),
        riff_chunk(b"LIST", &[b"INFOICMT", PLACE]),
        riff_chunk(b"data", &[DATA, b"!"]),
        riff_chunk(b"id3 ", &[PLACE]),
        riff_chunk(b"_PMX", &[PLACE]),
    ];
    joined(&[&riff(b"WAVE", &chunks), PLACE])
}

fn part(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    joined(&[&u32::try_from(content.len() + 8).expect("short").to_be_bytes(), kind, &content])
}

/// The head of a track: 640 × 480, turned by a quarter if it says so.
fn track_head(is_turned: bool) -> Vec<u8> {
    let (a, b) = if is_turned { (0_u32, 0x1_0000_u32) } else { (0x1_0000, 0) };
    let mut matrix = Vec::new();
    for number in [a, b, 0, b, a, 0, 0, 0, 0x4000_0000_u32] {
        matrix.extend(number.to_be_bytes());
    }
    part(b"tkhd", &[&[0; 4], PLACE, &[0; 28], &matrix, &(640_u32 << 16).to_be_bytes(), &(480_u32 << 16).to_be_bytes()])
}

/// A track of this kind whose samples are at these places.
fn track(kind: &[u8; 4], is_turned: bool, places: &[u32]) -> Vec<u8> {
    let places: Vec<u8> = places.iter().flat_map(|at| at.to_be_bytes()).collect();
    let sample = part(b"avc1", &[&[0; 42], PLACE, &[0; 28], &part(b"avcC", &[b"settings"])]);
    let table = part(
        b"stbl",
        &[
            &part(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &sample]),
            &part(b"stco", &[&[0; 4], &u32::try_from(places.len() / 4).expect("few").to_be_bytes(), &places]),
            &part(b"uuid", &[&[7; 16], PLACE]),
        ],
    );
    let media = part(
        b"mdia",
        &[
            &part(b"mdhd", &[&[0; 4], PLACE, &[0; 12]]),
            &part(b"hdlr", &[&[0; 8], kind, &[0; 12], PLACE]),
            &part(
                b"minf",
                &[
                    &part(
                        b"dinf",
                        &[&part(b"dref", &[&[0, 0, 0, 0, 0, 0, 0, 1], &part(b"url ", &[&[0, 0, 0, 1], PLACE])])],
                    ),
                    &table,
                ],
            ),
            &part(b"udta", &[PLACE]),
        ],
    );
    let about = part(b"udta", &[&part(b"loci", &[PLACE])]);
    part(b"trak", &[&track_head(is_turned), &media, &about, &part(b"meta", &[PLACE]), &part(b"tref", &[PLACE])])
}

/// A film: its brand, whether its index comes first, and the size of a length of boxes.
fn film(brand: &[u8; 4], is_index_first: bool, is_long: bool) -> Vec<u8> {
    let begin = part(b"ftyp", &[brand, &[0; 4], brand]);
    let samples = joined(&[DATA, PLACE, DATA, PLACE, PLACE]);
    let data = if is_long {
        joined(&[&[0, 0, 0, 1], b"mdat", &(samples.len() as u64 + 16).to_be_bytes(), &samples])
    } else {
        part(b"mdat", &[&samples])
    };
    let head = u32::try_from(data.len() - samples.len()).expect("short");
    let index = |at: u32| {
        part(
            b"moov",
            &[
                &part(b"mvhd", &[&[0; 4], PLACE, &[0; 88]]),
                &part(b"udta", &[&part(b"\xa9xyz", &[&[0, 8, 0x15, 0xc7], PLACE]), &[0; 4]]),
                &part(b"meta", &[&part(b"keys", &[b"com.apple.quicktime.location.ISO6709"]), &part(b"ilst", &[PLACE])]),
                &track(b"vide", true, &[at, at + 16]),
                // Cameras write where they are for each second.
                &track(b"meta", false, &[at + 8, at + 24]),
                &part(b"uuid", &[&[9; 16], PLACE]),
                &part(b"what", &[PLACE]),
            ],
        )
    };
    let about = [part(b"uuid", &[&[9; 16], PLACE]), part(b"free", &[PLACE]), part(b"meta", &[&[0; 4], PLACE])].concat();
    let place = |before: usize| u32::try_from(before).expect("short") + head;
    let film = if is_index_first {
        let length = index(0).len();
        joined(&[&begin, &about, &index(place(begin.len() + about.len() + length)), &data])
    } else {
        joined(&[&begin, &about, &data, &index(place(begin.len() + about.len()))])
    };
    joined(&[&film, &part(b"sefd", &[PLACE]), &PLACE[..5]])
}

/// A picture in boxes, with places of items in this version.
fn heif(brand: &[u8; 4], version: u8) -> Vec<u8> {
    let begin = part(b"ftyp", &[brand, &[0; 4], b"mif1"]);
    let block = joined(&[b"\0\0\0\0", &exif(true)]);
    let kind: &[u8; 4] = if brand == b"avif" { b"av01" } else { b"hvc1" };
    let entry = |id: u8, kind: &[u8; 4], name: &[u8]| part(b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0], kind, name, b"\0"]);
    let id = |id: u8| if version < 2 { vec![0, id] } else { vec![0, 0, 0, id] };
    let method = |method: u8| if version == 0 { vec![] } else { vec![0, method] };
    let index = |at: usize| {
        let place = |at: usize, length: usize| {
            let number = |number: usize| u32::try_from(number).expect("short").to_be_bytes();
            joined(&[&[0, 0, 0, 1], &number(at), &number(length)])
        };
        let mut places = vec![version, 0, 0, 0, 0x44, 0];
        places.extend(id(if version == 0 { 2 } else { 3 }));
        places.extend(joined(&[&id(1), &method(0), &place(at, 8)]));
        places.extend(joined(&[&id(2), &method(0), &place(at + 8, block.len())]));
        let inside = if version == 0 {
            part(b"idat", &[DATA])
        } else {
            places.extend(joined(&[&id(3), &method(1), &place(8, 8)]));
            part(b"idat", &[DATA, PLACE])
        };
        part(
            b"meta",
            &[
                &[0; 4],
                &part(b"hdlr", &[&[0; 8], b"pict", &[0; 12], PLACE]),
                &part(b"pitm", &[&[0, 0, 0, 0, 0, 1]]),
                &part(
                    b"iinf",
                    &[
                        &[0, 0, 0, 0, 0, 3],
                        &entry(1, kind, PLACE),
                        &entry(2, b"Exif", PLACE),
                        &entry(3, b"mime", b"xmp\0application/rdf+xml"),
                    ],
                ),
                &part(b"iloc", &[&places]),
                &part(b"iprp", &[&part(b"ipco", &[&part(b"udes", &[PLACE]), &part(b"ispe", &[&[0; 12]])])]),
                &inside,
                &part(b"xml ", &[PLACE]),
            ],
        )
    };
    // The places of two-byte extents: one, then offset and length.
    let length = index(0).len();
    let data = part(b"mdat", &[DATA, &block]);
    joined(&[&begin, &index(begin.len() + length + 8), &data, &part(b"mpvd", &[PLACE])])
}

fn jxl() -> Vec<u8> {
    joined(&[
        b"\0\0\0\x0cJXL \r\n\x87\n",
        &part(b"ftyp", &[b"jxl \0\0\0\0jxl "]),
        &part(b"Exif", &[&exif(true)]),
        &part(b"xml ", &[PLACE]),
        &part(b"jxlc", &[b"\xff\x0a", DATA]),
        &part(b"brob", &[b"Exif", PLACE]),
        &part(b"jbrd", &[PLACE]),
    ])
}

fn element(id: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    joined(&[id, &(0x4000 | u16::try_from(content.len()).expect("short")).to_be_bytes(), &content])
}

fn matroska() -> Vec<u8> {
    let tags = element(&[0x12, 0x54, 0xc3, 0x67], &[PLACE]);
    let block = element(&[0xa3], &[DATA]);
    joined(&[
        &element(&[0x1a, 0x45, 0xdf, 0xa3], &[&[0x42, 0x86, 0x81, 1, 0x42, 0x82, 0x84], b"webm"]),
        &[0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &element(
            &[0x15, 0x49, 0xa9, 0x66],
            &[
                &[0xbf, 0x84, 1, 2, 3, 4],
                &element(&[0x2a, 0xd7, 0xb1], &[&[0x0f, 0x42, 0x40]]),
                &element(&[0x7b, 0xa9], &[PLACE]),
                &element(&[0x44, 0x61], &[PLACE]),
                &element(&[0x57, 0x41], &[PLACE]),
            ],
        ),
        &element(
            &[0x16, 0x54, 0xae, 0x6b],
            &[&element(
                &[0xae],
                &[
                    &[0x83, 0x81, 1],
                    &element(&[0x53, 0x6e], &[PLACE]),
                    &element(&[0xe0], &[&[0xb0, 0x82, 2, 0x80, 0xba, 0x82, 1, 0xe0]]),
                ],
            )],
        ),
        &tags,
        &element(&[0x19, 0x41, 0xa4, 0x69], &[PLACE]),
        &element(&[0x1f, 0x43, 0xb6, 0x75], &[&[0xe7, 0x81, 0], &block]),
        &[0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xe7, 0x81, 1],
        &block,
        &tags,
        &element(&[0xec], &[PLACE]),
    ])
}

/// The sum of an Ogg page, written another way than the one that is tried.
fn ogg_sum(page: &[u8]) -> u32 {
    let mut sum = 0_u32;
    for byte in page {
        for bit in (0..8).rev() {
            let carry = sum >> 31 ^ u32::from(byte >> bit & 1);
            sum = sum << 1 ^ if carry == 1 { 0x04c1_1db7 } else { 0 };
        }
    }
    sum
}

fn ogg_page(flags: u8, number: u8, table: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(table.len()).expect("short");
    let mut page =
        joined(&[b"OggS\0", &[flags], &[0; 8], &[7, 7, 7, 7, number, 0, 0, 0, 0, 0, 0, 0, length], table, body]);
    let sum = ogg_sum(&page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

/// A stream whose packets begin like this; its comments go over two pages.
fn ogg(first: &[u8], comments: &[u8], sound: &[u8]) -> Vec<u8> {
    let vendor = joined(&[comments, &[8, 0, 0, 0], PLACE, &[1, 0, 0, 0, 240, 0, 0, 0]]);
    let mut packet = joined(&[&vendor, b"LOCATION=", PLACE]);
    packet.resize(300, b'x');
    packet.extend_from_slice(PLACE);
    let rest = u8::try_from(packet.len() - 255).expect("short");
    joined(&[
        &ogg_page(2, 0, &[u8::try_from(first.len()).expect("short")], first),
        &ogg_page(0, 1, &[255], &packet[..255]),
        &ogg_page(1, 2, &[rest], &packet[255..]),
        &ogg_page(0, 3, &[u8::try_from(sound.len()).expect("short")], sound),
        &ogg_page(4, 4, &[8], DATA),
    ])
}

fn opus() -> Vec<u8> {
    ogg(b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0", b"OpusTags", DATA)
}

fn vorbis() -> Vec<u8> {
    ogg(b"\x01vorbis\0\0\0\0\x01\x44\xac\0\0\0\0\0\0", b"\x03vorbis", b"\x05vorbis setup")
}

fn flac_in_ogg() -> Vec<u8> {
    ogg(b"\x7fFLAC\x01\0\0\x01fLaC\0\0\0\x22", b"\x84\0\x01\x30", b"\xff\xf8picture")
}

fn flac() -> Vec<u8> {
    let block =
        |kind: u8, content: &[u8]| joined(&[&[kind, 0, 0, u8::try_from(content.len()).expect("short")], content]);
    joined(&[
        b"fLaC",
        &block(0, &[3; 34]),
        &block(4, &[&[0; 8], &PLACE[..]].concat()),
        &block(6, PLACE),
        &block(3, &[0; 18]),
        &block(0x82, PLACE),
        b"\xff\xf8",
        DATA,
    ])
}

fn mp3_frame() -> Vec<u8> {
    // 128 kbit/s and 44.1 kHz: 417 bytes.
    let mut frame = b"\xff\xfb\x90\0".to_vec();
    frame.extend_from_slice(DATA);
    frame.resize(417, 0);
    frame
}

fn mp3() -> Vec<u8> {
    let tag = joined(&[b"ID3\x03\0\0\0\0\0\x20", b"GEOB\0\0\0\x10\0\0", PLACE, &[0; 14]]);
    let ape = joined(&[
        b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\0",
        &[0; 8],
        b"\x08\0\0\0\0\0\0\0Location\0",
        PLACE,
        b"APETAGEX",
    ]);
    let mut last = joined(&[b"TAG", PLACE]);
    last.resize(128, 0);
    joined(&[&tag, &mp3_frame(), &mp3_frame(), &tag, &mp3_frame(), &ape, &last])
}

fn aac() -> Vec<u8> {
    let frame = joined(&[&[0xff, 0xf1, 0x50, 0x80, 0x01, 0xff, 0xfc], DATA]);
    joined(&[&frame, &frame, b"TAG", PLACE, &[0; 117]])
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("jpeg", jpeg()),
        ("png", png()),
        ("gif", gif()),
        ("webp", webp()),
        ("mp4", film(b"isom", true, false)),
        ("m4a", film(b"M4A ", false, false)),
        ("mov", film(b"qt  ", false, true)),
        ("3gp", film(b"3gp4", true, true)),
        ("heic 0", heif(b"heic", 0)),
        ("heic 1", heif(b"heic", 1)),
        ("avif 1", heif(b"avif", 1)),
        ("avif 2", heif(b"avif", 2)),
        ("jxl", jxl()),
        ("webm", matroska()),
        ("opus", opus()),
        ("vorbis", vorbis()),
        ("flac in ogg", flac_in_ogg()),
        ("flac", flac()),
        ("mp3", mp3()),
        ("aac", aac()),
        ("wave", wave()),
    ]
}

#[test]
fn no_place_leaves_in_any_format() {
    for (name, bytes) in samples() {
        assert!(count(&bytes, PLACE) > 0, "{name}");
        let (clean, _) = cleaned(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        assert_eq!(count(&clean, PLACE), 0, "{name}");
        assert!(clean.len() <= bytes.len(), "{name}");
        // A clean file stays as it is.
        assert!(whole(&clean) == clean, "{name}");
    }
}

#[test]
fn no_place_leaves_wherever_a_file_is_cut_off() {
    for (name, bytes) in samples() {
        for end in 0..bytes.len() {
            if let Ok((clean, _)) = cleaned(&bytes[..end]) {
                assert_eq!(count(&clean, PLACE), 0, "{name} up to {end}");
            }
        }
    }
}

#[test]
fn a_damaged_file_is_walked_to_an_end() {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize
    };
    for (_, bytes) in samples() {
        for _ in 0..2_000 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % damaged.len();
                damaged[at] = [0, 0xff, 0x80, random() as u8][random() % 4];
            }
            // Either is fine; it must come to one of them.
            let _ = cleaned(&damaged);
        }
    }
}

#[test]
fn pictures_and_sounds_stay() {
    for (name, bytes) in samples().into_iter().skip(4) {
        assert_eq!(count(&whole(&bytes), DATA), count(&bytes, DATA), "{name}");
    }
    for (bytes, format) in [(jpeg(), ImageFormat::Jpeg), (png(), ImageFormat::Png), (webp(), ImageFormat::WebP)] {
        let clean = whole(&bytes);
        let pixels = |bytes: &[u8]| image::load_from_memory_with_format(bytes, format).expect("a picture").to_rgb8();
        if format != ImageFormat::WebP {
            assert!(pixels(&clean) == pixels(&write(format)), "{format:?}");
        }
        let mut decoder = ImageReader::with_format(Cursor::new(&clean), format).into_decoder().expect("a picture");
        assert_eq!(decoder.orientation().expect("one").to_exif(), 6, "{format:?}");
    }
    let clean = whole(&jpeg());
    assert_eq!((count(&clean, b"a profile"), count(&clean, b"Adobe\0\x64"), count(&clean, b"JFIF")), (1, 1, 2));
    assert!(clean.ends_with(b"\xff\xd9"));
    let clean = whole(&gif());
    assert_eq!((count(&clean, b"NETSCAPE2.0\x03\x01\0\0\0"), count(&clean, b"\x21\xf9\x04")), (1, 2));
}

#[test]
fn offsets_of_boxes_stay_right() {
    for bytes in [film(b"isom", true, false), film(b"qt  ", false, true), heif(b"avif", 1), matroska(), opus()] {
        let clean = whole(&bytes);
        assert_eq!(clean.len(), bytes.len());
        for (at, _) in bytes.windows(8).enumerate().filter(|(_, window)| window == DATA) {
            assert_eq!(&clean[at..at + 8], DATA);
        }
    }
    // A reader that looks for Exif finds an empty one.
    assert_eq!(count(&whole(&heif(b"avif", 1)), super::bmff::EMPTY_EXIF), 1);
}

#[test]
fn a_film_says_how_large_it_is() {
    assert_eq!(cleaned(&film(b"isom", true, false)).expect("clean").1, Some((480, 640)), "it is turned");
    assert_eq!(cleaned(&matroska()).expect("clean").1, Some((640, 480)));
    assert_eq!(cleaned(&opus()).expect("clean").1, None);
}

#[test]
fn pages_of_an_ogg_have_the_right_sum() {
    for bytes in [opus(), vorbis(), flac_in_ogg()] {
        let clean = whole(&bytes);
        let mut at = 0;
        while at < clean.len() {
            let table = usize::from(clean[at + 26]);
            let body: usize = clean[at + 27..at + 27 + table].iter().map(|bytes| usize::from(*bytes)).sum();
            let mut page = clean[at..at + 27 + table + body].to_vec();
            let found = page[22..26].to_vec();
            page[22..26].fill(0);
            assert_eq!(found, ogg_sum(&page).to_le_bytes(), "at {at}");
            at += page.len();
        }
    }
    // A Vorbis decoder asks for the bit that ends the comments, an Opus decoder for two numbers.
    assert_eq!(count(&whole(&vorbis()), b"\x03vorbis\0\0\0\0\0\0\0\0\x01\0"), 1);
    assert_eq!(count(&whole(&opus()), b"OpusTags\0\0\0\0\0\0\0\0"), 1);
}

#[test]
fn what_has_no_walker_is_unclean() {
    let mut bitmap = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bitmap.extend([0; 60]);
    let table: &[(&[u8], Format)] = &[
        (b"II*\0\x08\0\0\0\x01\0\x25\x88", Format::Unknown),
        (b"MM\0*\0\0\0\x08\0\x01\x88\x25", Format::Unknown),
        (b"II*\0\x10\0\0\0CR\x02\0\x10\0", Format::Unknown),
        (b"II+\0\x08\0\0\0\x10\0\0\0", Format::Unknown),
        (b"IIRO\x08\0\0\0\x01\0\0\0", Format::Unknown),
        (b"IIU\0\x18\0\0\0\x88\xe7", Format::Unknown),
        (b"FUJIFILMCCD-RAW 0201\0\0", Format::Unknown),
        (b"8BPS\0\x01\0\0\0\0\0\0", Format::Unknown),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0", Format::Unknown),
        (b"\xff\x4f\xff\x51\0\x29\0\0", Format::Unknown),
        (b"RIFF\x24\0\0\0AVI LIST", Format::Unknown),
        (b"\0\0\x01\xba\x44\0\x04\0", Format::Unknown),
        (&bitmap, Format::Unknown),
        (&joined(&[b"G\x40", &[0xff; 186]]).repeat(3), Format::Unknown),
        (&joined(&[&[0; 4], b"G\x40", &[0xff; 186]]).repeat(3), Format::Unknown),
        (b"BMW and other cars", Format::Other),
        (b"II. The second chapter", Format::Other),
        (b"The free software", Format::Other),
        (b"%PDF-1.7\n", Format::Other),
        (b"PK\x03\x04\x14\0\0\0", Format::Other),
        (b"\0\x01\x02\x03", Format::Other),
        (b"", Format::Other),
    ];
    for (head, format) in table {
        assert_eq!(Format::of(head), *format, "{:?}", head.escape_ascii().to_string());
    }
    for bytes in [
        // No structure behind the first bytes.
        &b"\xff\xd8\xff\xe1\0\x04abnonsense"[..],
        b"\x89PNG\r\n\x1a\n\0\0\0\x04\x01\x02\x03\x04nonsense",
        b"GIF89a\0\0\0\0\0\0\0nonsense",
        b"RIFF\xff\0\0\0WEBP\x01\x02\x03\x04nonsense",
        b"\0\0\0\x18ftypcrx \0\0\0\0crx isom",
        b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x10mdat52.5200N",
        b"\x1a\x45\xdf\xa3\x80\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0nonsense",
        b"ID3\x03\0\0\0\0\0\0nonsense",
    ] {
        assert!(matches!(cleaned(bytes), Err(Fault::Unclean(_))), "{:?}", bytes.escape_ascii().to_string());
    }
}

#[test]
fn boxes_in_boxes_and_without_end_have_bounds() {
    let mut deep = b"here".to_vec();
    for _ in 0..2_000 {
        deep = part(b"moov", &[&deep]);
    }
    let deep = joined(&[&part(b"ftyp", &[b"isom\0\0\0\0"]), &deep]);
    assert!(cleaned(&deep).is_ok());
    let many = joined(&[&part(b"ftyp", &[b"isom\0\0\0\0"]), &part(b"free", &[]).repeat(200_000)]);
    assert!(matches!(cleaned(&many), Err(Fault::Unclean("it has too many boxes"))));
    let many = joined(&[&part(b"ftyp", &[b"isom\0\0\0\0"]), &part(b"moov", &[&part(b"free", &[]).repeat(200_000)])]);
    assert!(matches!(cleaned(&many), Err(Fault::Unclean("it has too many boxes"))));
    // Lengths beyond any file.
    for size in [u64::MAX, u64::MAX - 40, 17, 15] {
        let bytes = joined(&[&part(b"ftyp", &[b"isom\0\0\0\0"]), &[0, 0, 0, 1], b"moov", &size.to_be_bytes(), PLACE]);
        assert!(cleaned(&bytes).map_or(0, |(clean, _)| count(&clean, PLACE)) == 0, "{size}");
    }
    assert_eq!(number(&[1, 0]), 256);
}
