// What piscina loads in a mirror thread: brings in the thread's module by import().
//
// Piscina calls require() on its file. Node ends the whole process when a thread is ended while an ES module that it requires is
// being linked ("IsGraphAsync must be used on an instantiated module", seen with 22.23); import() is not affected.

const { pathToFileURL } = require('node:url');
const { workerData } = require('node:worker_threads');

exports.runTask = import(pathToFileURL(workerData.workerFile).href).then((module) => module.runTask);
