//! The log of every AWS call: what was asked, how it ended, and the request id that AWS Support
//! asks for. Neither inputs nor answers are in it, so that no secret can be.

use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Layer, Storable, StoreReplace};
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

/// A call that changes nothing.
fn reads(call: &str) -> bool {
    ["Describe", "List", "Get", "Head"].iter().any(|reading| call.starts_with(reading))
}
