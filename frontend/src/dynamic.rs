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
    make: impl FnMut() -> AnyView + Send + 'static,
) -> Part {
    show_if(memo(is_there), Box::new(make))
}

fn show_if(is_there: Memo<bool>, mut make: Part) -> Part {
    part(move || if is_there.get() { make() } else { ().into_any() })
}

/// A value that follows signals. Those of one type share their code.
pub(crate) fn memo<T: PartialEq + Send + Sync + 'static>(follow: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    memo_of(Box::new(follow))
}

fn memo_of<T: PartialEq + Send + Sync + 'static>(follow: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
    Memo::new(move |_| follow())
}

/// Does something now, and again whenever a signal it has asked for changes.
pub(crate) fn effect(act: impl FnMut() + 'static) {
    effect_of(Box::new(act));
}

fn effect_of(mut act: Box<dyn FnMut()>) {
    Effect::new(move |_| act());
}
