//! Hexadecimal digits.

/// Bytes of an option.
#[derive(Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// Reads hexadecimal digits.
pub(crate) fn hex(text: &str) -> Result<Bytes, &'static str> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<_>> = text.chars().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0);
    let bytes = digits.map(|d| d.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
    bytes.map(Bytes).ok_or("write an even number of hexadecimal digits")
}

/// Bytes as hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_round_trip() {
        let Ok(Bytes(bytes)) = hex("00fF1a") else { panic!() };
        assert_eq!(to_hex(&bytes), "00ff1a");
        assert!(hex("0").is_err() && hex("0g").is_err() && hex("é0").is_err());
    }
}
