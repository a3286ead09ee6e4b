//! The four settings in which a promise is tested.

/// Four tests: a scenario in three settings, and what is promised of a runtime that goes away.
macro_rules! promise {
    ($name:ident: $scenario:ident, $shut_down:ident) => {
        mod $name {
            #[test]
            fn on_one_thread() {
                $crate::support::on_one_thread(super::$scenario);
            }

            #[test]
            fn on_two_workers() {
                $crate::support::on_two_workers(super::$scenario);
            }

            #[test]
            fn on_a_paused_clock() {
                $crate::support::on_a_paused_clock(super::$scenario);
            }

            #[test]
            fn with_the_runtime_shut_down() {
                super::$shut_down();
            }
        }
    };
}
pub(crate) use promise;
