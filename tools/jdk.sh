# Sourced by ./gpuos. find_jdk sets and exports JAVA_HOME, or ends the process with exit code 2 and
# one line that says what to install.

# Oldest JDK that will do: 25.0.0 to 25.0.2 corrupt pinned objects (JDK-8377811).
minimum_jdk=25.0.3

find_jdk() {
  jdk_rejected=
  java_on_path=$(command -v java 2>/dev/null) && java_on_path=$(readlink -f "$java_on_path") || :
  for jdk in "${JAVA_HOME-}" "${java_on_path%/bin/java}" \
    /usr/lib/jvm/* /usr/java/* /opt/* /opt/java/* /opt/jdk/* \
    "${HOME-}"/.sdkman/candidates/java/* "${HOME-}"/.jdks/*; do
    if [ -n "$jdk" ] && [ -x "$jdk/bin/javac" ] && is_new_enough "$jdk"; then
      JAVA_HOME=$jdk
      export JAVA_HOME
      return
    fi
  done
  echo "gpuos: no JDK: found=${jdk_rejected:-none}, expected=$minimum_jdk or newer;" \
    "install one, such as Eclipse Temurin 25, and set JAVA_HOME if it is not found" >&2
  exit 2
}

# is_new_enough HOME: whether the JDK's own release file states the minimum or more.
is_new_enough() {
  jdk_version=
  [ -r "$1/release" ] || return 1
  while IFS='=' read -r key value; do
    if [ "$key" = JAVA_VERSION ]; then
      jdk_version=${value#\"}
      jdk_version=${jdk_version%\"}
    fi
  done <"$1/release"
  if version_at_least "$jdk_version" "$minimum_jdk"; then
    return 0
  fi
  jdk_rejected="${jdk_rejected:+$jdk_rejected, }$jdk_version at $1"
  return 1
}

# version_at_least A B: compares dotted numbers; what is missing counts as 0, suffixes do not count.
version_at_least() {
  version_a=$1.
  version_b=$2.
  while [ -n "$version_b" ]; do
    part_a=${version_a%%.*}
    part_b=${version_b%%.*}
    version_a=${version_a#*.}
    version_b=${version_b#*.}
    part_a=${part_a%%[!0-9]*}
    if [ "${part_a:-0}" -ne "$part_b" ]; then
      [ "${part_a:-0}" -gt "$part_b" ]
      return
    fi
  done
}
