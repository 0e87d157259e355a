//! tritondeploy: see ARCHITECTURE.md.
