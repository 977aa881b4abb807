//! Line icons, drawn in the colour of the text around them. They say nothing by themselves: what
//! they stand for is in a label.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    Write,
    Back,
    Leave,
    Down,
    Send,
}

impl Picture {
    fn path(self) -> &'static str {
        match self {
            Picture::Write => "M12 20h8M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1z",
            Picture::Back => "M15 5l-7 7 7 7",
            Picture::Leave => "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
            Picture::Down => "M12 5v14M6 13l6 6 6-6",
            Picture::Send => "M4 12l16-8-5 16-3.5-6.5z",
        }
    }
}

#[component]
pub(crate) fn Icon(picture: Picture) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d=picture.path() />
        </svg>
    }
}
