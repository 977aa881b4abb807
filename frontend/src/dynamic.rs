//! What changes in a view, in two types. Every closure with a type of its own would bring a copy of the
//! code that renders it; boxed, all of them share one.

use leptos::prelude::*;

/// A text that follows signals: as a child, or as the value of an attribute.
pub(crate) type Text = Box<dyn FnMut() -> String + Send>;
/// A part of a view that follows signals.
pub(crate) type Part = Box<dyn FnMut() -> AnyView + Send>;

pub(crate) fn text(follow: impl FnMut() -> String + Send + 'static) -> Text {
    Box::new(follow)
}

pub(crate) fn part(follow: impl FnMut() -> AnyView + Send + 'static) -> Part {
    Box::new(follow)
}

/// A part that is there or not.
pub(crate) fn part_if(
    is_there: impl Fn() -> bool + Send + Sync + 'static,
    mut make: impl FnMut() -> AnyView + Send + 'static,
) -> Part {
    let is_there = Memo::new(move |_| is_there());
    part(move || if is_there.get() { make() } else { ().into_any() })
}
