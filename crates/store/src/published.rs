//! The view that readers see, which every request takes and only a commit changes.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::engine::View;

/// What readers see: all that is durable.
pub(crate) struct Published(ArcSwap<Latest>);

/// A view, of which a pointer of one word can be swapped.
struct Latest(Arc<dyn View>);

/// A view that is held for a moment: to take it writes to no memory that other threads use, as long as a thread holds
/// few of them.
pub(crate) struct Glance(Guard<Arc<Latest>>);

impl Published {
    pub(crate) fn new(view: Arc<dyn View>) -> Published {
        Published(ArcSwap::from_pointee(Latest(view)))
    }

    pub(crate) fn glance(&self) -> Glance {
        Glance(self.0.load())
    }

    pub(crate) fn publish(&self, view: Arc<dyn View>) {
        self.0.store(Arc::new(Latest(view)));
    }
}

impl Glance {
    pub(crate) fn view(&self) -> &dyn View {
        &*self.0.0
    }

    /// The view, to be kept.
    pub(crate) fn kept(&self) -> Arc<dyn View> {
        Arc::clone(&self.0.0)
    }
}
