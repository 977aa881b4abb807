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
    Smile,
    Reply,
    Edit,
    Delete,
    Link,
    Copy,
    Close,
    Settings,
    Search,
    Seen,
    People,
    NewGroup,
    Pin,
    Muted,
    Attach,
    File,
}

impl Picture {
    /// All of them.
    #[cfg(debug_assertions)]
    pub(crate) const ALL: [Picture; 21] = [
        Self::Write,
        Self::Back,
        Self::Leave,
        Self::Down,
        Self::Send,
        Self::Smile,
        Self::Reply,
        Self::Edit,
        Self::Delete,
        Self::Link,
        Self::Copy,
        Self::Close,
        Self::Settings,
        Self::Search,
        Self::Seen,
        Self::People,
        Self::NewGroup,
        Self::Pin,
        Self::Muted,
        Self::Attach,
        Self::File,
    ];

    fn path(self) -> &'static str {
        match self {
            Picture::Write => "M12 20h8M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1z",
            Picture::Back => "M15 5l-7 7 7 7",
            Picture::Leave => "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
            Picture::Down => "M12 5v14M6 13l6 6 6-6",
            Picture::Send => "M4 12l16-8-5 16-3.5-6.5z",
            Picture::Smile => "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5h.01M15 9.5h.01",
            Picture::Reply => "M10 6l-6 6 6 6M4 12h10a6 6 0 0 1 6 6",
            Picture::Edit => "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1z",
            Picture::Delete => "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
            Picture::Link => {
                "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"
            }
            Picture::Copy => "M9 9h11v11H9zM15 9V4H4v11h5",
            Picture::Close => "M6 6l12 12M18 6L6 18",
            Picture::Settings => {
                "M4 7h10M18 7h2M4 17h2M10 17h10M16 7a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM10 17a2 2 0 1 1-4 0 2 2 0 0 1 4 0z"
            }
            Picture::Seen => "M2.5 13l4 4L14 8M12 15.5l1.5 1.5L21.5 8",
            Picture::People => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18.5 14.5a6.5 6.5 0 0 1 3 5.5"
            }
            Picture::NewGroup => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M18.5 8v6M15.5 11h6"
            }
            Picture::Pin => "M9 3h6l-1 6 3 3v2H7v-2l3-3zM12 14v7",
            Picture::Muted => "M6 16V11a6 6 0 0 1 9-5.2M18 11v5l1.5 2H8M10 21h4M3 3l18 18",
            Picture::Attach => {
                "M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.4 3.4 0 0 1 4.8 4.8L10 17a1.8 1.8 0 0 1-2.6-2.6l7.6-7.6"
            }
            Picture::File => "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
            Picture::Search => "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
        }
    }
}

#[component]
pub(crate) fn Icon(picture: Picture) -> impl IntoView {
    view! {
        // How it is drawn is the style sheet's.
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d=picture.path() />
        </svg>
    }
}
