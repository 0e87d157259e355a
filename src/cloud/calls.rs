//! What goes with every AWS call. The log: what was asked, how it ended, and the request id that AWS Support asks for;
//! neither inputs nor answers are in it, so that no secret can be. And the retries of reads.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Layer, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use aws_types::request_id::RequestId;

/// Writes each call to the `aws` target: reads at debug, all else at info, failures at warn.
#[derive(Debug)]
pub(super) struct CallLog;

#[derive(Debug)]
struct Begun(Instant);

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut layer = Layer::new("CallLog");
        layer.store_put(Begun(Instant::now()));
        bag.push_layer(layer);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, call) = bag.load::<Metadata>().map_or(("?", "?"), |call| (call.service(), call.name()));
        let ms = bag.load::<Begun>().map_or(0, |begun| begun.0.elapsed().as_millis());
        let response = context.response();
        let status = response.map_or(0, |response| response.status().as_u16());
        let request = response.and_then(RequestId::request_id).unwrap_or("-");
        if !(200..400).contains(&status) {
            tracing::warn!(target: "aws", service, call, status, request, ms, "failed");
        } else if reads(call) {
            tracing::debug!(target: "aws", service, call, status, request, ms);
        } else {
            tracing::info!(target: "aws", service, call, status, request, ms);
        }
        Ok(())
    }
}

/// Lets the SDK make a read again that was throttled or not answered: much is read outside of walks, where nobody else
/// would. What changes something is made once, since a creating call whose answer was lost must be looked for. Objects of
/// S3 are left to their readers, who have bodies to read or a lease to hold.
#[derive(Debug)]
pub(super) struct ReadsAgain;

/// The first try and about 4 s of others.
const TRIES: u32 = 6;

impl Intercept for ReadsAgain {
    fn name(&self) -> &'static str {
        "ReadsAgain"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = bag.load::<Metadata>().map_or("", |call| call.name());
        if reads(call) && !["GetObject", "HeadObject"].contains(&call) {
            let again = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(250));
            bag.interceptor_state().store_put(again.with_max_backoff(Duration::from_secs(2)));
        }
        Ok(())
    }
}

/// A call that changes nothing.
fn reads(call: &str) -> bool {
    ["Describe", "List", "Get", "Head"].iter().any(|reading| call.starts_with(reading))
}
