#!/bin/sh
# Starts the colo agent of this lab host, detached; its pid goes to /run/colo-lab/agent.pid. One that runs is left alone.
umask 077
pid_file=/run/colo-lab/agent.pid log=/var/log/colo-agent.log
if [ ! -e /usr/lib/colo/dist/commands/agent/index.js ]; then
  echo 'no agent in this build of colo' >/run/colo-lab/agent.missing
  exit 0
fi
rm -f /run/colo-lab/agent.missing
if [ -e $pid_file ] && grep -q agent "/proc/$(cat $pid_file)/cmdline" 2>/dev/null; then exit 0; fi
rm -f /run/colo/agent.sock
# in the background setsid does not fork: its number becomes the agent's
setsid colo agent >>$log 2>&1 </dev/null &
echo $! >$pid_file
