#!/bin/bash
# Starts one part of Flink with the settings of FLINK_PROPERTIES: lines `key: value`, in which ${NAME} is the variable's value.
# The first argument names the part; any other command is run as it is, as Flink's operator does with its own scripts.
set -euo pipefail

configure() {
  local options=(-D rest.bind-address=0.0.0.0 -D jobmanager.bind-host=0.0.0.0 -D taskmanager.bind-host=0.0.0.0)
  local properties line
  # outside a pipe or <( ), so that a missing envsubst ends the script and leaves no setting empty
  properties=$(envsubst <<< "${FLINK_PROPERTIES:-}")
  while IFS= read -r line; do
    [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
    if [[ ! $line =~ ^[[:space:]]*([A-Za-z0-9._-]+):[[:space:]]*(.*[^[:space:]])[[:space:]]*$ ]]; then
      echo "FLINK_PROPERTIES: write 'key: value', not '$line'" >&2
      exit 2
    fi
    options+=(-D "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}")
  done <<< "$properties"
  # a TaskManager's address is the one from which it reaches the JobManager
  "$FLINK_HOME/bin/config-parser-utils.sh" "$FLINK_HOME/conf" "$FLINK_HOME/bin" "$FLINK_HOME/lib" \
    "${options[@]}" -rmKey taskmanager.host
}

case "${1:-help}" in
  jobmanager | taskmanager | standalone-job)
    configure
    exec "$FLINK_HOME/bin/$1.sh" start-foreground "${@:2}"
    ;;
  help)
    echo "jobmanager | taskmanager | standalone-job --job-classname CLASS ... | any command, such as flink run ..."
    ;;
  *)
    exec "$@"
    ;;
esac
