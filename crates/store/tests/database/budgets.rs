//! Budgets: no more is used than there is, whoever asks at once.

use std::sync::Arc;

use lockgate_model::Timestamp;
use lockgate_store::budgets::{Budgets, Window};

use crate::contract::Fresh;

fn window(subject: &str, begins: i64) -> Window {
    Window {
        policy: "ten".into(),
        issuer: "corp".into(),
        subject: subject.into(),
        begins: Timestamp::from_millis(begins),
        ends: Timestamp::from_millis(begins + 100),
    }
}

pub(crate) async fn no_more_is_used_than_there_is(fresh: Fresh) {
    let open = async || Arc::new(Budgets::open(&fresh.place).await.unwrap());
    let gateways = [open().await, open().await, open().await];
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..200 {
        let budgets = Arc::clone(&gateways[number % 3]);
        asking.spawn(async move { budgets.spend(&window("ann", 0), 10).await.unwrap() });
    }
    let used = asking.join_all().await.into_iter().filter(|used| *used).count();
    assert_eq!(used, 10);
    let one = &gateways[0];
    // Another's, the next window's, and a larger one's.
    assert!(one.spend(&window("bob", 0), 1).await.unwrap());
    assert!(!one.spend(&window("bob", 0), 1).await.unwrap());
    assert!(one.spend(&window("ann", 100), 10).await.unwrap());
    assert!(one.spend(&window("ann", 0), 11).await.unwrap());
    assert!(!one.spend(&window("ann", 0), 11).await.unwrap());
    // What is over is forgotten, and nothing else.
    one.sweep(Timestamp::from_millis(100)).await.unwrap();
    assert!(!one.spend(&window("ann", 100), 1).await.unwrap());
    assert!(one.spend(&window("bob", 0), 1).await.unwrap());
}
