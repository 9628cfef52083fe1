package io.gpuos.cli.demo;

import java.util.function.ObjIntConsumer;

/**
 * Operations of one kind.
 *
 * @param name for the table
 * @param share of all operations, in per cent
 * @param fill adds a number of operations to a workspace
 */
record Group(String name, int share, ObjIntConsumer<Workspace> fill) {}
