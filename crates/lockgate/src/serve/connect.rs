//! How users connect their accounts at servers: between the pages, which know no server, and the gateway,
//! which knows no page.

use std::sync::Arc;

use lockgate_console::{Connect, NotConnected};
use lockgate_gateway::{
    gateway::Gateway,
    oauth::{Answered, Asked, Grants},
};
use lockgate_model::{ConnectionName, Identity, Person};

/// By the connections and policies of the moment.
pub(super) fn connect(gateway: &Arc<Gateway>) -> Connect {
    let [since, begin, finish, end] = [(); 4].map(|()| Arc::clone(gateway));
    Connect {
        since: Box::new(move |identity, connection, ()| {
            let found = grants(&since, identity, &connection);
            Box::pin(async move {
                let (grants, person) = found?;
                grants.since(&person).await.map_err(NotConnected::Failed)
            })
        }),
        begin: Box::new(move |identity, connection, asked| {
            let found = grants(&begin, identity, &connection);
            Box::pin(async move {
                let (grants, _) = found?;
                let (state, challenge) = (asked.state, asked.challenge);
                let asked = Asked { state, challenge, redirect: asked.redirect };
                let url = grants.authorize(&asked).await.map_err(NotConnected::Failed)?;
                Ok(url.into())
            })
        }),
        finish: Box::new(move |identity, connection, back| {
            let found = grants(&finish, identity, &connection);
            Box::pin(async move {
                let (grants, person) = found?;
                let (code, verifier) = (back.code, back.verifier);
                let (redirect, issuer) = (back.redirect, back.issuer);
                let answered = Answered { code, verifier, redirect, issuer };
                grants.take(&person, answered).await.map_err(NotConnected::Failed)
            })
        }),
        end: Box::new(move |identity, connection, ()| {
            let found = grants(&end, identity, &connection);
            Box::pin(async move {
                let (grants, person) = found?;
                grants.disconnect(&person).await.map_err(NotConnected::Failed)
            })
        }),
    }
}

/// The grants of a connection that this person may reach.
fn grants(
    gateway: &Gateway,
    identity: &Identity,
    name: &ConnectionName,
) -> Result<(Grants, Person), NotConnected> {
    let snapshot = gateway.snapshot();
    let connection = snapshot.connection(name).ok_or(NotConnected::Unknown)?;
    let may = connection.settings.issuers.contains(&identity.issuer)
        && snapshot.policies.may_reach(identity, name);
    let grants = connection.credential.grants().filter(|_| may).ok_or(NotConnected::Unknown)?;
    Ok((grants.clone(), identity.person()))
}
