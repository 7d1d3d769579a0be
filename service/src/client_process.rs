//! The identity of a client process.

use interface::operations::Hello;

/// A client process, by the random number that its connections tell in [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientProcess([u8; 16]);

impl ClientProcess {
    /// The process that a request to say hello names, if it names one.
    pub fn named(hello: &Hello) -> Option<Self> {
        hello.application.as_slice().try_into().map(Self).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sixteen_bytes_name_a_process() {
        let named = |len| ClientProcess::named(&Hello { application: vec![7; len], ..Hello::default() });
        assert_eq!(named(16), Some(ClientProcess([7; 16])));
        assert_eq!((named(0), named(15), named(17)), (None, None, None));
    }
}
