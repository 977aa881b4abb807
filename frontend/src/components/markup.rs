//! A message's text as nodes of the document: never as HTML, so nothing that is written can be more than text.
//!
//! Put together by hand and not by views: what is in a message does not change on its own, and a view for each kind
//! of node would be the largest part of the page.

use crate::browser;
use crate::highlight::{self, Kind};
use crate::i18n::{Text, tr};
use crate::later::{self, later};
use leptos::prelude::*;
use shared::markdown::{self, Block, Inline, Mark, Marker};
use shared::mention::{self, Part};
use std::borrow::Cow;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, MouseEvent};

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// What somebody wrote, and what those are called whom it names; whether that is oneself.
    Written { text: String, is_edited: bool, names: Vec<(String, bool)> },
    /// It was deleted.
    Deleted,
}

/// Fills an element with a body: a directive.
pub(crate) fn fill(element: Element, body: Body) {
    let document = document();
    element.set_text_content(None);
    match body {
        Body::Deleted => element.set_text_content(Some(tr(Text::Deleted))),
        Body::Written { text, is_edited, names } => {
            let writer = &Writer { document, names };
            // No mark is read out of a name.
            let has_signs = writer.names.iter().any(|(name, _)| name.contains(|c: char| c.is_ascii_punctuation()));
            let text = match has_signs {
                true => mention::covered(&text, |name| writer.is_me(name).is_some()),
                false => Cow::Borrowed(text.as_str()),
            };
            match &markdown::parse(&text)[..] {
                // Most are one paragraph, and need nothing around it.
                [Block::Paragraph(parts)] => {
                    // Signs that turn the direction of a text do not reach the note behind it.
                    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                    let fence = if is_edited && text.contains(turns) { put(writer, &element, "bdi", "") } else { None };
                    put_parts(writer, fence.as_ref().unwrap_or(&element), parts);
                }
                blocks => put_blocks(writer, &element, blocks),
            }
            if is_edited && let Some(note) = put(writer, &element, "span", "message__edited") {
                note.set_text_content(Some(&format!(" {}", tr(Text::Edited))));
            }
        }
    }
}

/// Shows what is hidden, if that is what was clicked on.
pub(crate) fn uncover(event: MouseEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(cover) = target.filter(|target| target.class_name() == "spoiler__cover") else { return };
    if let Some(hidden) = cover.next_element_sibling().and_then(|hidden| hidden.dyn_into::<HtmlElement>().ok()) {
        let _ = hidden.remove_attribute("inert");
        // The focus was on the cover, which goes.
        let _ = hidden.focus();
    }
    cover.remove();
}

/// What makes nodes, and knows whose names are set apart.
struct Writer {
    document: Document,
    names: Vec<(String, bool)>,
}

impl Writer {
    /// Whether a name is one's own; `None` if it is nobody's.
    fn is_me(&self, name: &str) -> Option<bool> {
        let name = browser::fold(&mention::shown(name));
        let mut alike = self.names.iter().filter(|(known, _)| *known == name).map(|(_, is_me)| *is_me).peekable();
        alike.peek()?;
        Some(alike.any(|is_me| is_me))
    }
}

/// Adds a text, with names in it set apart.
fn put_text(writer: &Writer, parent: &Element, text: &str) {
    let plain = |text: &str| {
        let _ = parent.append_child(&writer.document.create_text_node(text));
    };
    if writer.names.is_empty() {
        return plain(text);
    }
    for part in mention::parts(text, |name| writer.is_me(name).is_some()) {
        match part {
            Part::Text(text) => plain(text),
            Part::Name(name) => {
                let name = mention::shown(name);
                let is_me = writer.is_me(&name[1..]) == Some(true);
                if let Some(element) = put(writer, parent, "bdi", if is_me { "mention mention--me" } else { "mention" })
                {
                    element.set_text_content(Some(&name));
                }
            }
        }
    }
}

/// Adds an element. (It fails for names that are none.)
fn put(writer: &Writer, parent: &Element, tag: &str, class: &str) -> Option<Element> {
    let element = writer.document.create_element(tag).ok()?;
    if !class.is_empty() {
        element.set_class_name(class);
    }
    parent.append_child(&element).ok()?;
    Some(element)
}

fn set(element: &Element, name: &str, value: &str) {
    let _ = element.set_attribute(name, value);
}

fn put_blocks(writer: &Writer, parent: &Element, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Paragraph(parts) => {
                if let Some(element) = put(writer, parent, "p", "") {
                    set(&element, "dir", "auto");
                    put_parts(writer, &element, parts);
                }
            }
            Block::Quote(blocks) => {
                if let Some(element) = put(writer, parent, "blockquote", "") {
                    put_blocks(writer, &element, blocks);
                }
            }
            Block::List(marker, items) => {
                let (tag, sign, numbers) = match marker {
                    Marker::Bullet(sign) => ("ul", sign, &[][..]),
                    Marker::Numbers(sign, numbers) => ("ol", sign, &numbers[..]),
                };
                let Some(list) = put(writer, parent, tag, "") else { continue };
                set(&list, "data-sign", sign.encode_utf8(&mut [0; 4]));
                for (place, item) in items.iter().enumerate() {
                    if let Some(element) = put(writer, &list, "li", "") {
                        if let Some(number) = numbers.get(place) {
                            set(&element, "value", &number.to_string());
                        }
                        put_blocks(writer, &element, item);
                    }
                }
            }
            Block::Spoiler(blocks) => {
                if let Some(hidden) = put_spoiler(writer, parent, "div") {
                    put_blocks(writer, &hidden, blocks);
                }
            }
            Block::Code { language, text } => {
                let Some(element) = put(writer, parent, "pre", "") else { continue };
                // Long lines are scrolled to, with the keyboard, too.
                set(&element, "tabindex", "0");
                set(&element, "dir", "ltr");
                if let Some(language) = language
                    && let Some(note) = put(writer, &element, "span", "code__language")
                {
                    note.set_text_content(Some(language));
                }
                if let Some(code) = put(writer, &element, "code", "") {
                    code.set_text_content(Some(text));
                    // More than a language may stand there.
                    if let Some(language) = language.as_deref().and_then(|said| said.split(' ').next()) {
                        later::quietly(colour(code, language.to_owned(), text.clone()));
                    }
                }
            }
        }
    }
}

later!(files, colour(code: Element, language: String, text: String) => {
    show_colours(&code, &language, &text);
    ().into_any()
});

/// Puts code in colours, if its language is known. The code may have gone meanwhile; then nobody sees it.
fn show_colours(code: &Element, language: &str, text: &str) {
    let Some(language) = highlight::language(language) else { return };
    let writer = Writer { document: document(), names: Vec::new() };
    code.set_text_content(None);
    for (kind, piece) in highlight::pieces(language, text) {
        let class = match kind {
            Kind::Plain => "",
            Kind::Comment => "code__comment",
            Kind::Text => "code__text",
            Kind::Number => "code__number",
            Kind::Keyword => "code__keyword",
        };
        if class.is_empty() {
            let _ = code.append_child(&writer.document.create_text_node(piece));
        } else if let Some(element) = put(&writer, code, "span", class) {
            element.set_text_content(Some(piece));
        }
    }
}

fn put_parts(writer: &Writer, parent: &Element, parts: &[Inline]) {
    for part in parts {
        match part {
            Inline::Text(text) => put_text(writer, parent, text),
            Inline::Code(text) => {
                if let Some(element) = put(writer, parent, "code", "") {
                    element.set_text_content(Some(text));
                }
            }
            Inline::Marked(Mark::Spoiler, parts) => {
                if let Some(hidden) = put_spoiler(writer, parent, "span") {
                    put_parts(writer, &hidden, parts);
                }
            }
            Inline::Marked(mark, parts) => {
                let tag = match mark {
                    Mark::Bold => "strong",
                    Mark::Italic => "em",
                    Mark::Strike | Mark::Spoiler => "s",
                };
                if let Some(element) = put(writer, parent, tag, "") {
                    put_parts(writer, &element, parts);
                }
            }
            Inline::Link { url, label } => {
                if let Some(element) = put(writer, parent, "a", "") {
                    set(&element, "href", url);
                    set(&element, "title", url);
                    set(&element, "target", "_blank");
                    set(&element, "rel", "noopener noreferrer nofollow");
                    put_parts(writer, &element, label);
                }
            }
        }
    }
}

/// A cover, and what it hides, which is to be filled.
fn put_spoiler(writer: &Writer, parent: &Element, tag: &str) -> Option<Element> {
    let spoiler = put(writer, parent, tag, "spoiler")?;
    let cover = put(writer, &spoiler, "button", "spoiler__cover")?;
    set(&cover, "type", "button");
    set(&cover, "aria-label", tr(Text::ShowHidden));
    let hidden = put(writer, &spoiler, tag, "spoiler__text")?;
    set(&hidden, "inert", "");
    set(&hidden, "tabindex", "-1");
    Some(hidden)
}
