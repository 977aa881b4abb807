//! Keeps what is being read where it is, while rows come and go around it.
//!
//! The first row in view is noted whenever the pane is scrolled. When the rows have changed, or their
//! sizes, and before that is painted, the pane is scrolled by as much as that row has moved. At the end
//! of the conversation nothing is noted: there the style sheet keeps the end in view.

use leptos::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Element, MutationObserver, MutationObserverInit, ResizeObserver};

/// What a row is, in the document. Notes and days come and go between them; messages stay.
pub(super) const ROW: &str = "ARTICLE";

/// A row that is in view, and where.
struct Anchor {
    row: Element,
    /// From its lower edge to the pane's. (A row's name and time go when another comes above it, and a
    /// pane keeps its lower edge when its height changes.)
    distance: f64,
    /// How far the pane was scrolled.
    scrolled: i32,
}

/// What is watched of a pane.
#[derive(Clone, Default)]
pub(crate) struct Anchored(Rc<RefCell<Option<Anchor>>>);

impl Anchored {
    /// Keeps the place from now on, until the pane is gone; `on_change` is told when rows have changed.
    pub(crate) fn watch(&self, pane: Element, rows: &Element, on_change: impl Fn() + 'static) {
        let keep = {
            let (anchored, pane) = (self.clone(), pane);
            move || anchored.keep(&pane)
        };
        let on_rows = Closure::<dyn Fn()>::new({
            let keep = keep.clone();
            move || {
                keep();
                on_change();
            }
        });
        let on_sizes = Closure::<dyn Fn()>::new(keep);
        let (Ok(for_rows), Ok(for_sizes)) = (
            MutationObserver::new(on_rows.as_ref().unchecked_ref()),
            ResizeObserver::new(on_sizes.as_ref().unchecked_ref()),
        ) else {
            return;
        };
        let children = MutationObserverInit::new();
        children.set_child_list(true);
        // Only a detached element is refused.
        let _ = for_rows.observe_with_options(rows, &children);
        for_sizes.observe(rows);
        let watching = StoredValue::new_local((on_rows, on_sizes));
        let observers = StoredValue::new_local((for_rows, for_sizes));
        on_cleanup(move || {
            observers.with_value(|(rows, sizes)| {
                rows.disconnect();
                sizes.disconnect();
            });
            watching.dispose();
        });
    }

    /// Notes the first row in view, if it is not where the page itself has scrolled to.
    pub(crate) fn note(&self, pane: &Element, rows: &Element) {
        let is_own = |anchor: &Anchor| anchor.row.is_connected() && anchor.scrolled == pane.scroll_top();
        if !self.0.borrow().as_ref().is_some_and(is_own) {
            *self.0.borrow_mut() = Anchor::find(pane, rows);
        }
    }

    /// There is no place to keep.
    pub(crate) fn let_go(&self) {
        *self.0.borrow_mut() = None;
    }

    fn keep(&self, pane: &Element) {
        if let Some(anchor) = self.0.borrow_mut().as_mut().filter(|anchor| anchor.row.is_connected()) {
            let scrolled = pane.scroll_top();
            let expected = anchor.distance + f64::from(scrolled - anchor.scrolled);
            let moved = expected - distance(pane, &anchor.row);
            // Positions between two pixels are rounded, and a correction ends a scrolling that is going on.
            if moved.abs() >= 2.0 {
                #[expect(clippy::cast_possible_truncation, reason = "pixels of a page")]
                pane.set_scroll_top(scrolled + moved.round() as i32);
                // Where it should stand, not where it stands: what is rounded does not add up.
                (anchor.distance, anchor.scrolled) = (expected, pane.scroll_top());
            }
        }
    }
}

impl Anchor {
    /// Rows stand one under the other: the first that reaches into the pane is found by halving.
    fn find(pane: &Element, rows: &Element) -> Option<Self> {
        let top = pane.get_bounding_client_rect().top();
        let children = rows.children();
        let (mut low, mut high) = (0, children.length());
        while low < high {
            let middle = low.midpoint(high);
            let is_above = children.item(middle)?.get_bounding_client_rect().bottom() <= top;
            (low, high) = if is_above { (middle + 1, high) } else { (low, middle) };
        }
        let row =
            (low..children.length()).filter_map(|index| children.item(index)).find(|row| row.tag_name() == ROW)?;
        Some(Self { distance: distance(pane, &row), scrolled: pane.scroll_top(), row })
    }
}

fn distance(pane: &Element, row: &Element) -> f64 {
    pane.get_bounding_client_rect().bottom() - row.get_bounding_client_rect().bottom()
}
