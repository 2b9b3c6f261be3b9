//! The moment from which a user's account at the server is another, or none. What was begun with it there
//! does not go on with the next.

use lockgate_model::{Person, Refusal, Timestamp};
use tokio::time::sleep;

use super::{Grants, missing, state::FRESH};

impl Grants {
    /// When this user gave what is used for them now; stays the same over renewals.
    ///
    /// # Errors
    /// As [`Grants::of`].
    pub async fn given(&self, person: &Person) -> Result<Timestamp, Refusal> {
        Ok(self.of(person).await?.since)
    }

    /// Done when this user has disconnected, or connected anew, since this was asked, with why: at once
    /// where that was done here, within 5 s where it was elsewhere.
    pub async fn ends(&self, person: &Person) -> Refusal {
        let mut changed = self.0.changed.subscribe();
        let mut begun = self.given(person).await.ok();
        loop {
            tokio::select! {
                // The sender lives as long as this does.
                _ = changed.changed() => {}
                () = sleep(FRESH) => {}
            }
            match self.since(person).await {
                Ok(Some(since)) if begun.is_none_or(|begun| begun == since) => begun = Some(since),
                Ok(_) => return missing(),
                // It may be had again.
                Err(_) => {}
            }
        }
    }
}
