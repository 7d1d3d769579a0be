//! Units that systemd confines: what each has to have as well, as `service/docs/servers.md` says.

use interop::Machine;
use tests::Page;

use crate::{OLDER, packages};

#[test]
fn confined_units_reach_the_service_with_what_is_documented() {
    let Some(machine) = Machine::boot(packages()) else { return };
    // all of the machine but what is mounted: there is nothing in /run
    machine.ok(&format!("dpkg --install /shared/*_{OLDER}_*.deb; mkdir /srv/root; mount --bind / /srv/root"));
    let ping = |settings: &[&str]| {
        let settings: String = settings.iter().map(|setting| format!("--property '{setting}' ")).collect();
        machine.run(&format!("systemd-run --quiet --collect --wait --pipe {settings} parsec ping"))
    };
    let page = Page::read("service/docs/servers.md");
    let rows = page.rows("Confined units");
    assert!(rows.len() > 4, "{rows:?}");
    for row in rows {
        let code = |column: usize| row[column].split('`').skip(1).step_by(2);
        let (has, adds): (Vec<_>, Vec<_>) = (code(0).collect(), code(1).collect());
        if !adds.is_empty() {
            let told = ping(&has).refused();
            assert!(told.contains("parsec"), "{told}");
        }
        ping(&[has, adds].concat()).ok();
    }
}
