//! roles, policies, the OIDC provider.
