//! The pods' identity: a service account bound to an IAM role by EKS's web identity (IRSA).

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Applied, Object, Place};
use super::manifest::{Error, render};
use super::namespace::{Namespace, NamespaceOutput};
use crate::engine::{Given, Node};
use crate::resources::iam::{Role, RoleOutput};

/// A service account.
pub struct ServiceAccount {
    /// Its name, which the role's trust policy names too.
    pub name: String,
}

impl Object for ServiceAccount {
    const KIND: &'static str = "service-account";
    type Within = Node<Applied<Namespace>>;
    type Uses = Node<Role>;
    type Output = String;

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::core::v1::ServiceAccount>(&())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(within: &NamespaceOutput) -> Place<'_> {
        within.place()
    }

    fn manifest(&self, within: &Given<NamespaceOutput>, role: &Given<RoleOutput>) -> Given<Result<Value, Error>> {
        const TEMPLATE: &str = include_str!("../../../templates/service_account.yaml");
        within.zip(role).map(|(namespace, role)| {
            let values = json!({"name": self.name, "namespace": namespace.name, "role_arn": role.arn});
            render("service_account.yaml", TEMPLATE, values)
        })
    }

    fn output(&self, _: &NamespaceOutput, _: &DynamicObject) -> String {
        self.name.clone()
    }
}
