# Sourced by ./gpuos: runs every test and check, then counts them and names the programs whose lack
# has skipped some. Arguments go to Maven, such as -Dtest=NAME or --projects runtime.

require_maven
mkdir -p "$root/target"
tests_begin=$root/target/tests.begin
touch "$tests_begin"

# Named tests lie in one module, so others need not have any; tests of another kind are not named.
tests_named=
for argument; do
  case $argument in
    -Dtest=* | -Dit.test=*) tests_named=${argument#*=} ;;
  esac
done
if [ -n "$tests_named" ]; then
  set -- -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false \
    -Djcstress.skip=true "$@"
  case " $* " in
    *" -Dit.test="*) ;;
    *) set -- -DskipITs "$@" ;;
  esac
fi

tests_status=0
mvn --batch-mode --no-transfer-progress --file "$root/pom.xml" \
  -Dtoolchain.jdk.env=JAVA_HOME "$@" verify || tests_status=$?

# of_this_run FILE: whether this run wrote it.
of_this_run() {
  [ -n "$(find "$1" -newer "$tests_begin" 2>/dev/null)" ]
}

concurrency_log=$root/concurrency-tests/target/jcstress.log
if of_this_run "$concurrency_log"; then
  sed -n '/^  Failed tests: [0-9]/,/^  All remaining/p; /^  Error tests: [0-9]/,/^  All/p' \
    "$concurrency_log"
  sed -n 's/^(Results: \(.*\))$/concurrency tests: \1/p' "$concurrency_log" | tail -n 1
fi

# Sums the reports of this run.
find "$root"/*/target/surefire-reports "$root"/*/target/failsafe-reports -name 'TEST-*.xml' \
  -newer "$tests_begin" -exec sed -n '/<testsuite /,/>/p' {} + 2>/dev/null |
  awk -v named="$tests_named" '
    function sum(name) { return match($0, " " name "=\"[0-9]+\"") \
        ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : 0 }
    { tests += sum("tests"); failed += sum("failures") + sum("errors"); skipped += sum("skipped") }
    END {
      printf "tests: run=%d, failed=%d, skipped=%d\n", tests - skipped, failed, skipped
      if (named != "" && tests == 0) {
        printf "gpuos: no such test: test=%s, expected=name of a test class\n", named >"/dev/stderr"
        exit 2
      }
    }' || [ "$tests_status" -ne 0 ] || tests_status=2

# missing PROGRAM TESTS: says so if the program is not installed.
missing() {
  command -v "$1" >/dev/null 2>&1 || echo "not installed: $1; skips $2"
}
missing spin "the models of lease, publishing and completion"
missing gcc "the models of lease, publishing and completion"
missing g++ "device code on the host"
exit "$tests_status"
