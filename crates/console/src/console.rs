//! The console as one value: made once, shared by every request.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use lockgate_model::{Identity, Timestamp};
use tokio::{net::TcpListener, sync::Mutex};

use crate::{
    door::Door,
    edge::Edge,
    recording::Recording,
    routes, serve,
    settings::{Role, Roles},
    slots::Slots,
};

/// The admin API of one process.
pub struct Console {
    pub(crate) edge: Edge,
    pub(crate) recording: Recording,
    pub(crate) slots: Arc<Slots>,
    /// Who is logged in with a browser.
    pub(crate) door: Door,
    /// Held while something is held, released or erased, so that two of these can't cross.
    pub(crate) changing: Mutex<()>,
    roles: ArcSwap<Roles>,
}

impl Console {
    /// A console in which `roles` are in force.
    pub fn new(edge: Edge, roles: Roles) -> Arc<Self> {
        Arc::new(Self {
            recording: Recording::new(&edge),
            edge,
            slots: Arc::default(),
            door: Door::default(),
            changing: Mutex::default(),
            roles: ArcSwap::from_pointee(roles),
        })
    }

    /// Puts other roles in force; open streams of who lost theirs end within a second.
    pub fn put_in_force(&self, roles: Roles) {
        self.roles.store(Arc::new(roles));
    }

    /// Serves plain HTTP/1.1 on `listener`; connections end when this future is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        serve::serve(self.router(), listener).await;
    }

    /// Every path with its guards, for a listener of the caller's own.
    pub fn router(self: Arc<Self>) -> Router {
        routes::router(self)
    }

    /// The API's description, OpenAPI 3.1 as JSON.
    pub fn openapi() -> String {
        routes::description()
    }

    /// Whether `identity` may act as `role` now.
    pub(crate) fn admits(&self, identity: &Identity, role: Role) -> bool {
        self.roles.load().admit(identity, role)
    }

    /// Now, by the process's clock.
    pub(crate) fn now(&self) -> Timestamp {
        (self.edge.now)()
    }
}
