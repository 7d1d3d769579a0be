//! What a server needs.

use super::super::context::KeyRecord;
use super::super::error::{Error, Result};
use super::super::openssl::{CONFIG, below, check_unit, config, drop_in, installed_module};
use super::super::output::Text;
use super::super::purpose::module;
use super::super::reference;
use super::super::servers::{Loads, Server, system_lines};
use super::change::{Desk, Place, text};
use super::plan::{Lines, Plan, stem};
use interface::client::Endpoint;
use interface::reference::Reference;
use interface::text::word;
use std::path::Path;

pub(super) fn plan(desk: &Desk<'_>, server: &Server, key: Option<&KeyRecord>, endpoint: Option<&Endpoint>) -> Result<Plan> {
    check_unit(desk.root, server.unit)?;
    let mut plan = Plan::default();
    let name = key.map(stem).transpose()?.unwrap_or("NAME");
    let file = format!("/etc/parsec/{name}.pem");
    if let Some(key) = key {
        plan.want(grant(desk, server, key)?, "sign");
        if !matches!(server.loads, Loads::Module) {
            plan.want(Place::File { path: file.clone().into() }, reference(desk, &file, key)?);
        }
    }
    let fill = |line: &&str| {
        let line = line.replace("{name}", name).replace("{file}", &file);
        line.replace("{cert}", &format!("/etc/parsec/{name}.crt")).replace("{module}", &module())
    };
    provider(desk, server, endpoint, &mut plan);
    if let Loads::Own(line, place) = server.loads {
        plan.write.push(Lines { file: place.to_owned(), lines: vec![Text::new(line)] });
    }
    let lines = server.lines.iter().map(fill).map(Text).collect();
    plan.write.push(Lines { file: server.place.to_owned(), lines });
    plan.next.extend(server.first.iter().map(fill));
    plan.next.push(restart(server));
    Ok(plan)
}

/// What is left to do once it is undone.
pub(super) fn back(server: &Server) -> Vec<String> {
    vec![format!("take the key out of {}", server.place), restart(server)]
}

fn restart(server: &Server) -> String {
    // all instances of a template
    let unit = server.unit.replace("@.", "@*.");
    format!("systemctl daemon-reload && systemctl restart {}", word(&unit))
}

/// What makes the server load the provider and reach the service.
fn provider(desk: &Desk<'_>, server: &Server, endpoint: Option<&Endpoint>, plan: &mut Plan) {
    let module = installed_module();
    if !matches!(server.loads, Loads::Module) {
        plan.want(Place::File { path: CONFIG.into() }, config(&module, endpoint));
        if !below(desk.root, &module).exists() {
            plan.next.push(format!("apt install parsec-openssl-provider    # {} is not there", module.display()));
        }
    }
    if matches!(server.loads, Loads::System) {
        let lines = system_lines(&module.display().to_string()).into_iter().map(Text).collect();
        plan.write.push(Lines { file: "/etc/ssl/openssl.cnf".to_owned(), lines });
    }
    let socket = endpoint.map_or("/run/parsec/parsec.sock", Endpoint::path);
    let folder = Path::new(socket).parent().unwrap_or_else(|| Path::new("/")).display();
    let variable = matches!(server.loads, Loads::Unit).then(|| format!("Environment=OPENSSL_CONF={CONFIG}"));
    // what is not there yet does not stop the unit
    let bind = server.jail.map(|jail| format!("BindPaths=-{folder}:{jail}{folder}"));
    let exec = (server.locked && !module.starts_with("/usr/lib")).then(|| format!("ExecPaths=-{}", module.display()));
    let settings: Vec<_> = variable.into_iter().chain(bind).chain(exec).collect();
    if !settings.is_empty() {
        let (path, text) = drop_in(server.unit, &settings);
        plan.want(Place::File { path }, text);
    }
    if let Some(profile) = server.profile {
        let full = Path::new("/etc/apparmor.d").join(profile);
        if below(desk.root, &full).exists() {
            let path = Path::new("/etc/apparmor.d/local").join(profile);
            let rules =
                [CONFIG, "/etc/parsec/client.conf", "/etc/parsec/*.pem", "/etc/parsec/*.crt"].map(|file| format!("{file} r,\n"));
            let rules = format!("{}{} mr,\n{socket} rw,\n", rules.concat(), module.display());
            plan.want(Place::Block { path, mark: server.name.to_owned() }, rules);
            let load = format!("apparmor_parser -r {}", full.display());
            plan.next.push(load);
        }
    }
}

fn grant(desk: &Desk<'_>, server: &Server, key: &KeyRecord) -> Result<Place> {
    let uid = uid(desk, server.user)?.ok_or_else(|| {
        Error::Usage(format!("there is no user '{}', as whom {} signs: is {} installed?", server.user, server.name, server.name))
    })?;
    let (provider, who) = (key.provider.name().to_owned(), format!("uid:{uid}"));
    Ok(Place::Grant { key: key.name().to_owned(), owner: key.owner(), provider, who })
}

/// The number of a user of the tree that is set up; `None` if it has no such user.
fn uid(desk: &Desk<'_>, user: &str) -> Result<Option<u32>> {
    if desk.root == Path::new("/") {
        return Ok(nix::unistd::User::from_name(user).ok().flatten().map(|user| user.uid.as_raw()));
    }
    let users = text(&desk.file(Path::new("/etc/passwd"))?)?.unwrap_or_default();
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = users.find(|fields| fields.first() == Some(&user));
    Ok(found.and_then(|fields| fields.get(2)?.parse().ok()))
}

/// What the key's reference file has in it, or shall have; fails if it is another's.
fn reference(desk: &Desk<'_>, file: &str, key: &KeyRecord) -> Result<String> {
    let path = desk.file(Path::new(file))?;
    let Some(pem) = text(&path)? else { return reference::text(key) };
    let named = Reference::from_pem(pem.as_bytes()).ok().and_then(|reference| reference.uri.name);
    match named.as_deref() == Some(key.name()) {
        true => Ok(pem),
        false => {
            let (path, name) = (path.display(), key.name());
            Err(Error::Failed(format!("{path} is there, and is no reference to key '{name}': move it away")))
        }
    }
}
