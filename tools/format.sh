# Sourced by ./gpuos: rewrites the Java sources in google-java-format's style.

require_maven
mvn --quiet --batch-mode --no-transfer-progress --non-recursive --file "$root/pom.xml" \
  -Dtoolchain.jdk.env=JAVA_HOME -Dformat.mode=--write verify
