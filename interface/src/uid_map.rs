//! Maps of user namespaces (user_namespaces(7)).

/// The extents of a map of user ids (`/proc/PID/uid_map`): first id inside, first id outside, how many.
pub fn extents(map: &str) -> impl Iterator<Item = [u32; 3]> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map_while(|number| number.parse().ok());
        Some([numbers.next()?, numbers.next()?, numbers.next()?])
    })
}

/// The outer user id of an inner one.
pub fn outside(map: &str, id: u32) -> Option<u32> {
    extents(map).find_map(|[inside, outside, count]| {
        let offset = id.checked_sub(inside).filter(|offset| *offset < count)?;
        outside.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_tells_who_somebody_inside_is() {
        let map = "         0     100000       1000\n      1000       1000          1\n      1001 4294967295 2\n";
        for (inside, expected) in
            [(0, Some(100_000)), (999, Some(100_999)), (1000, Some(1000)), (1001, Some(u32::MAX)), (1002, None), (1003, None)]
        {
            assert_eq!(outside(map, inside), expected, "{inside}");
        }
        assert_eq!(outside("0 0 4294967295", 54_321), Some(54_321));
        assert_eq!(outside("", 0), None);
    }
}
