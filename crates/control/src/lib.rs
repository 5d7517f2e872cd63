//! What users and operators asked for, its rules, and the plan that brings every node to it.
#![forbid(unsafe_code)]
