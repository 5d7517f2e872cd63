//! The commands of users and operators: a client of the API.
