//! The files above where messages are written: how far each is, and what can be done about it.

use super::icon::{Icon, Picture};
use crate::browser;
use crate::dynamic::{effect, part, text};
use crate::i18n::{self, Text, tr, with};
use crate::state::State;
use crate::state::draft::Draft;
use crate::state::upload::{Files, Stage, Upload};
use leptos::prelude::*;
use shared::attachment::{AttachmentBody, Shown};
use shared::code::{Code, ErrorBody};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{ProgressEvent, Url, XmlHttpRequest};

/// So many are on their way at once.
const AT_ONCE: usize = 3;

#[component]
pub(crate) fn Tray(draft: Draft) -> impl IntoView {
    let state = expect_context::<State>();
    let files = draft.files;
    let bytes_max = move || state.limits.with_untracked(|limits| limits.attachment_bytes);
    effect(move || {
        files.all.track();
        drive(files, untrack(bytes_max));
    });
    view! {
        <ul class="tray" aria-label=tr(Text::FilesToSend)>
            <For each=move || files.all.get() key=|upload| upload.key let:upload>
                <Item upload files bytes_max=untrack(bytes_max) />
            </For>
        </ul>
    }
}

#[component]
fn Item(upload: Upload, files: Files, bytes_max: u64) -> impl IntoView {
    let Upload { key, name, size, ref file, ref stage, ref is_kept, .. } = upload;
    let preview = file.as_ref().filter(|file| Shown::of(&file.type_()) == Shown::Picture).and_then(|file| {
        let url = Url::create_object_url_with_blob(file).ok()?;
        let made = url.clone();
        on_cleanup(move || drop(Url::revoke_object_url(&made)));
        Some(url)
    });
    let face = match (preview, stage.get_untracked()) {
        // What only says that it is a picture shows nothing.
        (Some(url), _) => {
            let hide = |event: leptos::ev::ErrorEvent| {
                let _ = event_target::<web_sys::Element>(&event).set_attribute("hidden", "");
            };
            view! { <img class="tray__picture" src=url alt="" on:error=hide /> }.into_any()
        }
        (None, Stage::There(attachment)) if attachment.shown() == Shown::Picture => {
            view! { <img class="tray__picture" src=format!("/api/attachments/{}/thumbnail", attachment.id) alt="" /> }
                .into_any()
        }
        (None, _) => view! { <span class="tray__icon"><Icon picture=Picture::File /></span> }.into_any(),
    };
    let state = {
        let stage = stage.clone();
        move || stage.get()
    };
    let note = part({
        let (state, name) = (state.clone(), name.clone());
        move || match state() {
            Stage::Waiting | Stage::There(_) => {
                view! { <span class="tray__note">{browser::size(size)}</span> }.into_any()
            }
            Stage::Sending(percent) => {
                let label = with(Text::UploadingFile, &[("name", &name)]);
                view! { <progress class="tray__progress" max="100" value=percent.to_string() aria-label=label></progress> }.into_any()
            }
            Stage::Failed(reason) | Stage::Unclean(reason) => {
                view! { <span class="tray__note tray__note--bad" role="alert">{reason}</span> }.into_any()
            }
        }
    });
    let again = part({
        let (state, stage, is_kept) = (state.clone(), stage.clone(), is_kept.clone());
        move || {
            let label = match state() {
                Stage::Failed(_) => tr(Text::TryAgain),
                Stage::Unclean(_) => tr(Text::SendAnyway),
                _ => return ().into_any(),
            };
            let (stage, is_kept) = (stage.clone(), is_kept.clone());
            let start = move |_| {
                if matches!(stage.get_untracked(), Stage::Unclean(_)) {
                    is_kept.set_value(true);
                }
                stage.set(Stage::Waiting);
                drive(files, bytes_max);
            };
            view! { <button type="button" class="tray__again" on:click=start>{label}</button> }.into_any()
        }
    });
    let name_of_stage = text(move || {
        match state() {
            Stage::Waiting => "waiting",
            Stage::Sending(_) => "sending",
            Stage::There(_) => "there",
            Stage::Unclean(_) => "unclean",
            Stage::Failed(_) => "failed",
        }
        .to_owned()
    });
    let label = with(Text::RemoveFile, &[("name", &name)]);
    view! {
        <li class="tray__item" data-stage=name_of_stage>
            {face}
            <span class="tray__text"><bdi class="tray__name">{name}</bdi>{note}</span>
            {again}
            <button
                type="button"
                class="icon-button"
                aria-label=label.clone()
                title=label
                on:click=move |_| {
                    remove(files, key);
                    drive(files, bytes_max);
                }
            >
                <Icon picture=Picture::Close />
            </button>
        </li>
    }
}

/// Starts what waits, as far as there is room.
fn drive(files: Files, bytes_max: u64) {
    let Some(all) = files.all.try_get_untracked() else { return };
    let is_sending = |upload: &&Upload| matches!(upload.stage.get_untracked(), Stage::Sending(_));
    let mut room = AT_ONCE.saturating_sub(all.iter().filter(is_sending).count());
    for upload in all.iter().filter(|upload| upload.stage.get_untracked() == Stage::Waiting) {
        if upload.size > bytes_max {
            let size = browser::size(bytes_max);
            upload.stage.set(Stage::Failed(with(Text::FileTooLarge, &[("size", &size)])));
        } else if room > 0 {
            room -= 1;
            upload.stage.set(Stage::Sending(0));
            if transfer(upload, files, bytes_max).is_err() {
                upload.stage.set(Stage::Failed(tr(Text::Unreachable).into()));
            }
        }
    }
}

/// Sends a file. The browser tells how far it is only of requests made like this.
fn transfer(upload: &Upload, files: Files, bytes_max: u64) -> Result<(), wasm_bindgen::JsValue> {
    let request = XmlHttpRequest::new()?;
    let name: String = js_sys::encode_uri_component(&upload.name).into();
    let unclean = if upload.is_kept.get_value() { "&unclean=true" } else { "" };
    request.open_with_async("POST", &format!("/api/attachments?name={name}{unclean}"), true)?;
    let stage = upload.stage.clone();
    let progress = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
        // The last percent is the server's: it looks at the file and puts it on its disk.
        let percent = (event.loaded() / event.total().max(1.0) * 99.0).clamp(0.0, 99.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 99")]
        stage.set(Stage::Sending(percent as u8));
    });
    request.upload()?.set_onprogress(Some(progress.as_ref().unchecked_ref()));
    let (answered, stage, file) = (request.clone(), upload.stage.clone(), upload.file.clone());
    // Whatever becomes of the request, this comes once, at its end.
    let end = Closure::once_into_js(move || {
        drop(progress);
        let status = answered.status().unwrap_or(0);
        let body = answered.response_text().ok().flatten().unwrap_or_default();
        let next = match (status, serde_json::from_str::<AttachmentBody>(&body)) {
            (201, Ok(body)) => Stage::There(body.attachment),
            _ => match serde_json::from_str::<ErrorBody>(&body) {
                // The server says more than there is room for here.
                Ok(body) if body.error.code == Code::UncleanFile => Stage::Unclean(tr(Text::RefusedUnclean).into()),
                Ok(body) => Stage::Failed(i18n::refusal(&body.error)),
                Err(_) => Stage::Failed(tr(Text::Unreachable).into()),
            },
        };
        leptos::task::spawn_local(async move {
            // A file that is gone fails like a server that is.
            stage.set(match file {
                Some(file) if status == 0 && !browser::is_readable(&file).await => {
                    Stage::Failed(tr(Text::FileUnreadable).into())
                }
                _ => next,
            });
            drive(files, bytes_max);
        });
    });
    request.set_onloadend(Some(end.unchecked_ref()));
    request.send_with_opt_blob(upload.file.as_deref())?;
    upload.request.set_value(Some(request));
    Ok(())
}

/// Takes a file out, wherever it is.
fn remove(files: Files, key: u32) {
    let Some(upload) = files.all.with_untracked(|all| all.iter().find(|upload| upload.key == key).cloned()) else {
        return;
    };
    files.wait_no_more();
    files.has_too_many.set(false);
    files.all.update(|all| all.retain(|upload| upload.key != key));
    if let Some(request) = upload.request.try_update_value(Option::take).flatten() {
        // One that has ended already is left as it is.
        let _ = request.abort();
    }
    if let Stage::There(attachment) = upload.stage.get_untracked() {
        leptos::task::spawn_local(async move {
            // What stays there goes by itself after a day.
            let _ = crate::api::delete_attachment(attachment.id).await;
        });
    }
}
