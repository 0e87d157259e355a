//! THE ARCHITECTURE: every node of the deployment.
