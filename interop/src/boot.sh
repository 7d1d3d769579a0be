# Boots a copy of a root that costs nothing, and cleans up when the machine has ended: boot.sh ROOT FOLDER SHARED. ROOT: one folder, or
# several with colons between them, the topmost first. FOLDER has what is the machine's own; SHARED is seen there as /shared. Its caller has given it a mount namespace of its own.
set -e
trap '' TERM
root=$1 folder=$2 shared=$3 name=parsec-$$

# Control groups of its own: machines with the same ones would take each other's services for theirs.
cgroups() {
  findmnt --noheadings --first-only --output TARGET --types cgroup2 && sed -n 's/^0:://p' /proc/self/cgroup
  findmnt --noheadings --first-only --output TARGET --types cgroup --options name=systemd && sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup
}
parents=$(cgroups | while read -r mount && read -r path; do echo "$mount$path"; done)
for parent in $parents; do
  mkdir "$parent/$name"
  echo $$ >"$parent/$name/cgroup.procs"
done
mount -t overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
# Landlock, as a machine of its own has it
systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --boot --register=no --keep-unit --private-network --resolv-conf=off \
  --timezone=off --link-journal=no --bind-ro="$shared:/shared" \
  --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" &
echo $! >"$folder/pid"
wait
for parent in $parents; do
  echo $$ >"$parent/cgroup.procs"
  find "$parent/$name" -depth -type d -exec rmdir {} +
done
