//! The files of a message: pictures are seen, sounds and films are played, everything else is downloaded.

use super::dialog::Dialog;
use super::icon::{Icon, Picture};
use crate::browser;
use crate::dynamic::{part, text};
use crate::i18n::{Text, tr, with};
use crate::keys;
use crate::state::{Overlay, State};
use leptos::prelude::*;
use shared::attachment::{Attachment, Shown};

/// A picture in a conversation is at most so wide and high, in CSS pixels.
const WIDTH: f64 = 340.0;
/// See [`WIDTH`].
const HEIGHT: f64 = 280.0;

/// The badge of a picture that moves once it is shown large, whatever its format: people know animations by this name.
const ANIMATED: &str = "GIF";

fn file_of(attachment: &Attachment) -> String {
    format!("/api/attachments/{}", attachment.id)
}

fn small_of(attachment: &Attachment) -> String {
    format!("/api/attachments/{}/thumbnail", attachment.id)
}

/// All files of a message.
#[component]
pub(crate) fn AttachmentList(attachments: Memo<Vec<Attachment>>) -> impl IntoView {
    let state = expect_context::<State>();
    let all = attachments.get_untracked();
    let one = |(index, attachment): (usize, &Attachment)| {
        let name = attachment.name.clone();
        match attachment.shown() {
            Shown::Picture => {
                let (width, height) = size(attachment);
                let all = all.clone();
                let mut label = with(Text::ShowPicture, &[("name", &name)]);
                if attachment.animated {
                    label = format!("{label} ({ANIMATED})");
                }
                let open = move |_| {
                    state.viewing.set_value((all.clone(), index));
                    state.overlay.set(Some(Overlay::Picture));
                };
                view! {
                    <button type="button" class="picture" aria-label=label title=name on:click=open>
                        <img
                            class="picture__image"
                            src=small_of(attachment)
                            alt=""
                            width=width.to_string()
                            height=height.to_string()
                            loading="lazy"
                            decoding="async"
                        />
                        {attachment.animated.then(|| view! { <span class="picture__badge">{ANIMATED}</span> })}
                    </button>
                }
                .into_any()
            }
            Shown::Audio | Shown::Video => media(attachment),
            Shown::Name => file(attachment),
        }
    };
    let views: Vec<_> = all.iter().enumerate().map(one).collect();
    view! { <div class="attachments">{views}</div> }
}

/// Something to hear or watch; what this browser cannot play is there to be downloaded.
fn media(attachment: &Attachment) -> AnyView {
    let is_broken = RwSignal::new(false);
    let note = move |_| is_broken.set(true);
    let attachment = attachment.clone();
    part(move || {
        let (attachment, name) = (&attachment, attachment.name.clone());
        if is_broken.get() {
            return file(attachment);
        }
        if attachment.shown() == Shown::Audio {
            return view! {
                <figure class="sound">
                    <figcaption><bdi>{name}</bdi></figcaption>
                    <audio controls preload="none" src=file_of(attachment) on:error=note></audio>
                </figure>
            }
            .into_any();
        }
        // With its size it has its place before it is there.
        let (width, height) = attachment.width.and(attachment.height).map(|_| size(attachment)).unzip();
        view! {
            <video
                class="film"
                controls
                preload="metadata"
                title=name
                width=width.map(|side| side.to_string())
                height=height.map(|side| side.to_string())
                src=file_of(attachment)
                on:error=note
            ></video>
        }
        .into_any()
    })
    .into_any()
}

/// A file by its name.
fn file(attachment: &Attachment) -> AnyView {
    view! {
        <a class="file" href=file_of(attachment) download=attachment.name.clone()>
            <span class="file__icon"><Icon picture=Picture::File /></span>
            <span class="file__text">
                <bdi class="file__name">{attachment.name.clone()}</bdi>
                <span class="file__size">{browser::size(attachment.size)}</span>
            </span>
            <span class="visually-hidden">{tr(Text::Download)}</span>
        </a>
    }
    .into_any()
}

/// How large a picture or a film is shown.
fn size(attachment: &Attachment) -> (u32, u32) {
    let (width, height) = (f64::from(attachment.width.unwrap_or(1)), f64::from(attachment.height.unwrap_or(1)));
    let scale = (WIDTH / width).min(HEIGHT / height).min(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most as large as what it is made of"
    )]
    let scaled = |side: f64| (side * scale).round().max(1.0) as u32;
    (scaled(width), scaled(height))
}

/// A picture as large as the window, and the others of its message.
#[component]
pub(crate) fn Lightbox(close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let (all, first) = state.viewing.get_value();
    let first = all.get(first).map(|attachment| attachment.id);
    let pictures: Vec<_> = all.into_iter().filter(|attachment| attachment.shown() == Shown::Picture).collect();
    let start = pictures.iter().position(|picture| Some(picture.id) == first).unwrap_or(0);
    let (count, at) = (pictures.len(), RwSignal::new(start));
    let pictures = StoredValue::new(pictures);
    let of = move |read: fn(&Attachment) -> String| {
        text(move || pictures.with_value(|pictures| pictures.get(at.get()).map(read).unwrap_or_default()))
    };
    let step = move |by: isize| {
        if let Some(next) = at.get_untracked().checked_add_signed(by).filter(|next| *next < count) {
            at.set(next);
        }
    };
    // Wherever in the dialog the focus is.
    let listening = window_event_listener(leptos::ev::keydown, move |event| {
        let is_rtl = browser::is_right_to_left();
        match event.key().as_str() {
            _ if !keys::is_plain(&event) => return,
            "ArrowRight" => step(if is_rtl { -1 } else { 1 }),
            "ArrowLeft" => step(if is_rtl { 1 } else { -1 }),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || listening.remove());
    view! {
        <Dialog title=tr(Text::Picture) class="dialog lightbox" close>
            <div class="lightbox__stage">
                <img class="lightbox__image" src=of(file_of) alt=of(|picture| picture.name.clone()) />
                <div class="lightbox__foot">
                    {(count > 1).then(|| view! {
                        <button type="button" class="icon-button" aria-label=tr(Text::PreviousPicture) title=tr(Text::PreviousPicture) disabled=move || at.get() == 0 on:click=move |_| step(-1)>
                            <Icon picture=Picture::Back />
                        </button>
                    })}
                    <bdi class="lightbox__name">{of(|picture| picture.name.clone())}</bdi>
                    <a class="button button--quiet" href=of(file_of) download=of(|picture| picture.name.clone())>{tr(Text::Download)}</a>
                    {(count > 1).then(|| view! {
                        <button type="button" class="icon-button lightbox__next" aria-label=tr(Text::NextPicture) title=tr(Text::NextPicture) disabled=move || at.get() + 1 >= count on:click=move |_| step(1)>
                            <Icon picture=Picture::Back />
                        </button>
                    })}
                </div>
            </div>
        </Dialog>
    }
}
