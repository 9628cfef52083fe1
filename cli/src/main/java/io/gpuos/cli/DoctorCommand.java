package io.gpuos.cli;

import picocli.CommandLine.Command;
@Command(name="doctor")
final class DoctorCommand implements Runnable { public void run() {} }
