#!/bin/sh
# colo: made by "colo host prepare", which replaces it.
#
# /etc/libvirt/hooks/qemu.d/colo (libvirt 6.5 and later). libvirt runs it before it starts a guest, with the guest's definition on
# standard input; an exit status other than 0 refuses the start, and what is written to standard error becomes libvirt's message.
#
#   colo GUEST OPERATION SUB-OPERATION EXTRA
#
# A copy of a pair is started by colo alone: the agent puts a word into the definition, and the same word with its process number
# into a file, right before it asks libvirt. Each word is good for one start. All other guests pass.
pairs=/var/lib/colo/pairs
starts=/run/colo/starts

export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
case "${2:-}/${3:-}" in
  prepare/begin | restore/begin | migrate/begin) ;;
  *) exit 0 ;;
esac
guest=${1:-}
definition=$(cat)

# of which pair: by the mark colo puts into a definition, by the name, or by an image of a pair
mark=$(printf '%s\n' "$definition" | tr '\n' ' ' | grep -o '<[A-Za-z0-9_.-]*:pair [^>]*urn:colo:1[^>]*>' | head -n 1)
pair=$(printf '%s\n' "$mark" | sed -n 's/.* name=["'\'']\([A-Za-z0-9_-]*\)["'\''].*/\1/p')
case $guest in
  '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_-]*) ;; # no pair has such a name
  *) if [ -z "$mark" ] && [ -e "$pairs/$guest/record.json" ]; then pair=$guest; fi ;;
esac
if [ -z "$mark$pair" ]; then
  known=$(grep -Ho '"path": *"/[^"]*"' "$pairs"/*/record.json 2>/dev/null)
  old_ifs=$IFS
  IFS='
'
  set -f
  for line in $known; do
    image=${line#*\"path\":} image=${image#*\"} image=${image%\"}
    case $definition in
      *"$image"[\"\'\&\<,\ ]*) pair=${line#"$pairs"/} pair=${pair%%/*} ;;
    esac
  done
  IFS=$old_ifs
  [ -n "$pair" ] || exit 0
fi

refuse() {
  echo "colo: $*" >&2
  exit 1
}

if [ -z "$pair" ] || [ ! -e "$pairs/$pair/record.json" ]; then
  refuse "this definition was made for a copy of the pair ${pair:-?}, which this host does not know; to run it as a plain guest" \
    'take the element "pair" of colo out of its metadata'
fi
asked=$(printf '%s\n' "$mark" | sed -n 's/.* start=["'\'']\([0-9a-f]\{32\}\)["'\''].*/\1/p')
word='' agent=''
read -r word agent 2>/dev/null <"$starts/$pair" || word=''
if [ -z "$asked" ] || [ "$asked" != "$word" ]; then
  refuse "this is a copy of the pair $pair: only colo starts it, for the copy may be stale; colo pair status $pair says which one is" \
    "current, colo pair start $pair starts that one"
fi
case $agent in
  '' | *[!0-9]*) refuse "the note of the start of $pair is not one" ;;
esac
kill -0 "$agent" 2>/dev/null ||
  refuse "the agent that wanted to start $pair is gone; when it runs again (systemctl start colo-agent): colo pair status $pair"
rm "$starts/$pair" 2>/dev/null || refuse "the note of the start of $pair was used already"
exit 0
