# Sourced by ./gpuos: fetches NVRTC into the local Maven repository, where the runtime looks last.

require_maven
mvn --quiet --batch-mode --non-recursive --file "$root/pom.xml" generate-test-resources
echo "gpuos: NVRTC is in the local Maven repository; ./gpuos doctor shows which one is used" >&2
