#!/usr/bin/env node
/**
 * The program of the package: looks at the version of Node, then loads the command line, which an old
 * one could not even read.
 * @module
 */
import './node-version.ts';

void import('./cli.ts');
