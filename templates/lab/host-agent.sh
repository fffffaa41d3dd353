#!/bin/sh
# Starts the colo agent of this lab host, detached; its pid goes to /run/colo-lab/agent.pid.
log=/var/log/colo-agent.log
if [ ! -e /usr/lib/colo/dist/commands/agent/index.js ]; then
  echo 'no agent in this build of colo' >/run/colo-lab/agent.missing
  exit 0
fi
rm -f /run/colo-lab/agent.missing
setsid sh -c 'echo $$ >/run/colo-lab/agent.pid; exec colo agent' >>$log 2>&1 </dev/null &
