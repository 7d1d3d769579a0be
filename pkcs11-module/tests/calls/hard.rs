//! What modules most often get wrong, a file for each; other files here and `tests/edge` (functions before C_Initialize, garbage as
//! arguments) hold the rest.

mod attributes;
mod codes;
mod crowd;
mod finalize;
mod handles;
mod initialize;
mod lengths;
mod memory;
mod restart;
mod unload;

use super::{Fixture, P256, SOFTWARE, TURN, attribute, find, generate, mechanism, open, sign};
