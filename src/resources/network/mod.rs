//! VPC, subnets, gateways, routes.
