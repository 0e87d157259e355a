//! the ECR repository and the gateway image.
