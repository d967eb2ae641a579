"""Ask a package of the BioImage Model Zoo by the zoo's own library: PACKAGE.

For each of its weights it prints how far the answer to the test image is at most from the one that the
package expects; then it asks about that image as anybody would, whose borders are made larger by the halo.
"""

import sys

import numpy as np
from bioimageio.core import create_prediction_pipeline, load_model_description
from bioimageio.core.digest_spec import get_test_input_sample, get_test_output_sample

as_it_is = {"skip_input_padding": True, "skip_output_cropping": True}
model = load_model_description(sys.argv[1])
(expected,) = get_test_output_sample(model).members.values()
for name in ("keras_v3", "tensorflow_saved_model_bundle", "onnx"):
    if getattr(model.weights, name) is not None:
        pipeline = create_prediction_pipeline(model, weight_format=name)
        sample = pipeline.predict_sample_without_blocking(get_test_input_sample(model), **as_it_is)
        (answer,) = sample.members.values()
        print("difference", name, np.abs(answer.data.to_numpy() - expected.data.to_numpy()).max())
larger = pipeline.predict_sample_without_blocking(get_test_input_sample(model))
(answer,) = larger.members.values()
print("size", answer.data.shape == expected.data.shape)
