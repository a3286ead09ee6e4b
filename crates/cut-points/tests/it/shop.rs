use tokio::sync::{Mutex, mpsc};

struct Shop {
    orders: Mutex<mpsc::Receiver<u32>>,
    shipped: Mutex<Vec<u32>>,
}

impl Shop {
    async fn ship_next(&self) -> Option<()> {
        let order = self.orders.lock().await.recv().await?;
        let mut shipped = self.shipped.lock().await;
        shipped.push(order);
        Some(())
    }
}

async fn three_orders() -> Shop {
    let (sender, orders) = mpsc::channel(8);
    for order in 1..=3 {
        sender.send(order).await.unwrap();
    }
    Shop { orders: Mutex::new(orders), shipped: Mutex::default() }
}

// #[test]
pub(crate) fn no_order_is_lost() {
    cut_points::world(three_orders) // a new one for each cut
        .check(async |shop: &Shop| {
            let waiting = shop.orders.lock().await.len();
            let shipped = shop.shipped.lock().await.len();
            assert_eq!(waiting + shipped, 3, "an order is lost");
        })
        .drop_everywhere(async |shop: &Shop| shop.ship_next().await.ok_or("no order"))
        .assert_ok();
}
