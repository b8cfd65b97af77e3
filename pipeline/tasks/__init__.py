"""What a network is to predict: target, loss, metric and the width of the head, one kind of problem a file."""
