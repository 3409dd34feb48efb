"""PyTorch as an expert writes it without a compiler: tensors at hand, fused Adam, one thread."""

from specs.benchmarks.contestants import BATCH, RATE, training_images


def prepare(job):
    """Train like `fit`, but without counting accuracy."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    pixels, digits = training_images(job)
    images, labels = torch.from_numpy(pixels), torch.from_numpy(digits)
    layers, forward, images = NETWORKS[job["network"]](torch, images)
    # the epsilon of Keras
    adam = torch.optim.Adam(layers.parameters(), lr=0.001, eps=1e-7, fused=True)
    entropy = torch.nn.functional.cross_entropy

    def run(epochs):
        layers.train()
        for _ in range(epochs):
            for batch in torch.randperm(len(labels)).split(BATCH):
                adam.zero_grad(set_to_none=True)
                entropy(forward(images[batch]), labels[batch]).backward()
                adam.step()

    return run


def _ann(torch, images):
    nn = torch.nn
    hidden = [
        part
        for inputs in (784, 128, 128)
        for part in (nn.Linear(inputs, 128), nn.ReLU(inplace=True), nn.Dropout(RATE))
    ]
    layers = nn.Sequential(*hidden, nn.Linear(128, 10))
    return layers, layers, images


def _rnn(torch, images):
    nn = torch.nn
    layers = nn.ModuleDict({"lstm": nn.LSTM(28, 128, batch_first=True), "top": nn.Linear(128, 10)})
    lstm, top = layers["lstm"], layers["top"]
    lstm.bias_hh_l0.requires_grad_(False).zero_()  # Keras has one bias
    dropout = torch.nn.functional.dropout

    def forward(x):
        mask = dropout(x.new_ones(len(x), 1, 28), RATE)  # one for all rows of an image
        states, _ = lstm(x * mask)
        return top(states.amax(dim=1))

    return layers, forward, images.reshape(-1, 28, 28)


def _cnn(torch, images):
    nn = torch.nn
    layers = nn.Sequential(
        nn.Conv2d(1, 256, 3),
        nn.ReLU(inplace=True),
        nn.Dropout(RATE),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(13 * 13 * 256, 64),
        nn.Dropout(RATE),
        nn.Linear(64, 10),
    ).to(memory_format=torch.channels_last)
    return layers, layers, images.reshape(-1, 1, 28, 28)


NETWORKS = {"ann": _ann, "rnn": _rnn, "cnn": _cnn}
