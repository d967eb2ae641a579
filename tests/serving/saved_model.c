/* Opens a SavedModel by TensorFlow's C library, answers for one grey image, and writes what one output says.
 *
 * saved_model FOLDER INPUT OUTPUT INDEX HEIGHT WIDTH < pixels (uint8) > floats (float32)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static TF_Status *status;

static void check(const char *what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static TF_Output output(TF_Graph *graph, const char *name, int index) {
  TF_Output found = {TF_GraphOperationByName(graph, name), index};
  if (found.oper) return found;
  fprintf(stderr, "%s: the graph has no such operation\n", name);
  exit(1);
}

int main(int count, char **given) {
  if (count != 7) return 2;
  const int64_t shape[3] = {1, atoi(given[5]), atoi(given[6])};
  status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tag = "serve";
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, given[1], &tag, 1, graph, NULL, status);
  check("load");

  TF_Tensor *image = TF_AllocateTensor(TF_UINT8, shape, 3, (size_t)(shape[1] * shape[2]));
  if (fread(TF_TensorData(image), 1, TF_TensorByteSize(image), stdin) != TF_TensorByteSize(image)) return 2;
  TF_Output taken = output(graph, given[2], 0), wanted = output(graph, given[3], atoi(given[4]));
  TF_Tensor *answer = NULL;
  TF_SessionRun(session, NULL, &taken, &image, 1, &wanted, &answer, 1, NULL, 0, NULL, status);
  check("run");
  fwrite(TF_TensorData(answer), 1, TF_TensorByteSize(answer), stdout);
  return 0;
}
