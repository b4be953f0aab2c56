//! Reference tests: PyTorch's numbers, Candle's stock operations, and finite differences.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::{
    ConvWindow, conv2d, conv3d, conv3d_input_gradient, max_pool_2x2, max_unpool_2x2, max_unpool_2x2_channel_sum, relu,
    stock,
};

/// sin(i · frequency + phase), computed in double precision.
fn wave(shape: &[usize], frequency: f64, phase: f64) -> Tensor {
    let values = (0..shape.iter().product()).map(|index: usize| (index as f64 * frequency + phase).sin() as f32);
    Tensor::from_iter(values, &Device::Cpu).and_then(|tensor| tensor.reshape(shape)).expect("matching size")
}

/// First and last element, sum, and a sum weighted with cos(i / 10).
fn fingerprint(tensor: &Tensor) -> [f64; 4] {
    let values: Vec<f32> = tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32");
    let weighted = values.iter().enumerate().map(|(index, value)| f64::from(*value) * (0.1 * index as f64).cos());
    let sum = values.iter().map(|value| f64::from(*value)).sum();
    [f64::from(values[0]), f64::from(values[values.len() - 1]), sum, weighted.sum()]
}

fn assert_near(got: [f64; 4], expected: [f64; 4], what: &str) {
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 5e-4 + 1e-5 * expected.abs(), "{what}: {got} instead of {expected}");
    }
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("same shapes")
}

struct Golden {
    input: [usize; 5],
    weight: [usize; 5],
    window: ConvWindow,
    output_shape: [usize; 5],
    /// Fingerprints of the output and of the gradients to input, weight and bias.
    expected: [[f64; 4]; 4],
}

/// ```python
/// import torch
/// def wave(shape, f, phase):
///     n = 1
///     for s in shape: n *= s
///     return torch.sin(torch.arange(n, dtype=torch.float64) * f + phase).reshape(shape)
/// def check(t):
///     t = t.flatten(); i = torch.arange(len(t), dtype=torch.float64)
///     return [t[0].item(), t[-1].item(), t.sum().item(), (t * torch.cos(0.1 * i)).sum().item()]
/// for xs, ws, s, p in cases:  # input, weight, stride, padding of the list below
///     x = wave(xs, 0.7, 0).requires_grad_(); w = wave(ws, 1.3, 1).requires_grad_()
///     b = wave(ws[:1], 0.9, 2).requires_grad_()
///     y = torch.nn.functional.conv3d(x, w, b, s, p)
///     (y * wave(y.shape, 0.31, 0.5)).sum().backward()
///     for t in (y.detach(), x.grad, w.grad, b.grad): print([round(v, 6) for v in check(t)])
/// ```
#[allow(clippy::unreadable_literal, reason = "printed by PyTorch")]
fn goldens() -> Vec<Golden> {
    let golden = |input, weight, stride, padding, output_shape, expected| Golden {
        input,
        weight,
        window: ConvWindow { stride, padding },
        output_shape,
        expected,
    };
    vec![
        golden(
            [2, 3, 5, 7, 6],
            [4, 3, 3, 3, 3],
            [1, 1, 1],
            [1, 1, 1],
            [2, 4, 5, 7, 6],
            [
                [3.573339, -1.193783, -198.082687, -12.31436],
                [-2.870175, -3.216317, 36.214935, -2.548599],
                [-1.22579, 1.932042, 1.57906, 9.45058],
                [0.544216, -0.515641, 0.016066, 0.011417],
            ],
        ),
        golden(
            [1, 2, 9, 4, 5],
            [3, 2, 9, 3, 3],
            [1, 1, 1],
            [0, 1, 1],
            [1, 3, 1, 4, 5],
            [
                [5.827421, -2.679772, 11.988923, 1.387428],
                [0.639696, -0.851539, -12.356429, -4.802593],
                [1.82235, 1.323561, 12.546363, 9.25218],
                [-0.080472, -0.036794, -0.176102, -0.175074],
            ],
        ),
        golden(
            [2, 1, 3, 15, 18],
            [5, 1, 3, 7, 7],
            [1, 2, 2],
            [1, 3, 3],
            [2, 5, 3, 8, 9],
            [
                [-0.389647, -2.622021, -475.155552, -38.170354],
                [0.163152, -0.05357, -17.847072, 49.15582],
                [0.087689, -0.317204, -10.952265, -2.703713],
                [-1.157918, 5.874026, 5.337226, 4.955058],
            ],
        ),
        golden(
            [3, 4, 1, 9, 11],
            [2, 4, 1, 3, 3],
            [1, 2, 2],
            [0, 1, 1],
            [3, 2, 1, 5, 6],
            [
                [-0.367823, 2.030531, 102.547917, 15.870168],
                [-0.184933, -0.257925, -54.219641, 7.042095],
                [-1.053801, -1.314859, -0.007328, -23.82961],
                [18.983835, -18.914367, 0.069468, 0.163961],
            ],
        ),
        golden(
            [1, 2, 4, 8, 7],
            [17, 2, 2, 2, 5],
            [2, 3, 1],
            [1, 0, 2],
            [1, 17, 3, 3, 7],
            [
                [3.664445, 2.419257, 31.536914, -16.945953],
                [0.47226, -0.716226, -4.137093, 2.758806],
                [-1.532015, -2.314278, 61.358139, 5.904609],
                [1.36791, -1.811872, 0.477102, 3.593594],
            ],
        ),
        golden(
            [2, 5, 2, 3, 4],
            [3, 5, 1, 1, 1],
            [1, 1, 1],
            [0, 0, 0],
            [2, 3, 2, 3, 4],
            [
                [-0.167988, -2.042397, 33.208714, -25.931504],
                [1.657045, 0.299507, 0.194149, 1.173183],
                [4.834836, -2.126038, -0.811853, 2.193574],
                [-0.53838, 1.120364, 1.30538, 1.279434],
            ],
        ),
        golden(
            [1, 3, 2, 40, 33],
            [18, 3, 2, 5, 5],
            [1, 1, 2],
            [1, 2, 2],
            [1, 18, 3, 40, 17],
            [
                [1.33221, -1.453918, -988.369561, -4.841911],
                [0.589796, -0.469204, -0.10723, -0.06057],
                [-0.05191, -0.149491, 0.774053, 51.37294],
                [3.961376, 2.6972, 3.099671, 2.960898],
            ],
        ),
    ]
}

#[test]
fn convolution_and_its_gradients_agree_with_pytorch() -> Result<()> {
    for (case, golden) in goldens().iter().enumerate() {
        let input = Var::from_tensor(&wave(&golden.input, 0.7, 0.0))?;
        let weight = Var::from_tensor(&wave(&golden.weight, 1.3, 1.0))?;
        let bias = Var::from_tensor(&wave(&golden.weight[..1], 0.9, 2.0))?;
        let output = conv3d(&input, &weight, Some(&bias), golden.window)?;
        assert_eq!(output.dims(), golden.output_shape);
        let gradients = (&output * wave(&golden.output_shape, 0.31, 0.5))?.sum_all()?.backward()?;
        let gradient = |var: &Var| gradients.get(var).expect("a variable has a gradient").clone();
        let tensors = [output, gradient(&input), gradient(&weight), gradient(&bias)];
        for (tensor, (expected, what)) in
            tensors.iter().zip(golden.expected.into_iter().zip(["output", "to input", "to weight", "to bias"]))
        {
            assert_near(fingerprint(tensor), expected, &format!("case {case}, {what}"));
        }
    }
    Ok(())
}

#[test]
fn every_element_agrees_with_stock_candle_operations() -> Result<()> {
    // Large enough for several tiles, phases and partial sums; odd sizes; a filter larger than the stride and smaller.
    for (input, weight, stride, padding) in [
        ([3, 20, 4, 37, 50], [21, 20, 3, 3, 3], [1, 1, 1], [1, 1, 1]),
        ([2, 3, 9, 33, 41], [16, 3, 9, 5, 5], [1, 2, 2], [0, 2, 2]),
        ([2, 4, 3, 21, 22], [6, 4, 2, 2, 2], [2, 3, 3], [1, 0, 0]),
        ([4, 16, 1, 70, 65], [32, 16, 1, 3, 3], [1, 1, 1], [0, 1, 1]),
    ] {
        let window = ConvWindow { stride, padding };
        let input = Var::from_tensor(&wave(&input, 0.37, 0.1))?;
        let weight = Var::from_tensor(&wave(&weight, 0.73, 0.2))?;
        let (ours, theirs) = (conv3d(&input, &weight, None, window)?, stock::conv3d(&input, &weight, None, window)?);
        assert!(largest_difference(&ours, &theirs) < 1e-3);
        let direction = wave(ours.dims(), 0.21, 0.3);
        let our_gradients = (ours * &direction)?.sum_all()?.backward()?;
        let their_gradients = (theirs * &direction)?.sum_all()?.backward()?;
        for var in [&input, &weight] {
            let (ours, theirs) =
                (our_gradients.get(var).expect("gradient"), their_gradients.get(var).expect("gradient"));
            assert!(largest_difference(ours, theirs) < 5e-3);
        }
        let shape = input.dims5()?.into();
        let composed = stock::conv3d_input_gradient(&direction, &weight, shape, window)?;
        assert!(largest_difference(&conv3d_input_gradient(&direction, &weight, shape, window)?, &composed) < 1e-3);
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let window = ConvWindow { stride: [1, 2, 1], padding: [1, 1, 0] };
    let input = Var::from_tensor(&wave(&[2, 2, 3, 6, 5], 0.9, 0.0))?;
    let weight = Var::from_tensor(&wave(&[3, 2, 3, 3, 2], 0.8, 0.4))?;
    let bias = Var::from_tensor(&wave(&[3], 0.5, 0.1))?;
    let loss = |input: &Tensor, weight: &Tensor, bias: &Tensor| {
        conv3d(input, weight, Some(bias), window)?.sqr()?.to_dtype(DType::F64)?.sum_all()
    };
    let gradients = loss(&input, &weight, &bias)?.backward()?;
    for (index, var) in [&input, &weight, &bias].into_iter().enumerate() {
        let direction = wave(var.dims(), 2.3, 0.7);
        let analytic = fingerprint(&(gradients.get(var).expect("gradient") * &direction)?)[2];
        let moved = |step: f64| -> Result<f64> {
            let moved = (var.as_tensor() + (&direction * step)?)?;
            let mut arguments = [input.as_tensor(), weight.as_tensor(), bias.as_tensor()];
            arguments[index] = &moved;
            loss(arguments[0], arguments[1], arguments[2])?.to_scalar::<f64>()
        };
        let numeric = (moved(1e-2)? - moved(-1e-2)?) / 2e-2;
        assert!((analytic - numeric).abs() < 1e-3 * numeric.abs().max(1.0), "{index}: {analytic} and {numeric}");
    }
    Ok(())
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start").install(|| {
            let input = Var::from_tensor(&wave(&[3, 17, 2, 40, 30], 0.37, 0.1))?;
            let weight = Var::from_tensor(&wave(&[33, 17, 3, 3, 3], 0.73, 0.2))?;
            let bias = Var::from_tensor(&wave(&[33], 0.5, 0.1))?;
            let output = conv3d(&input, &weight, Some(&bias), ConvWindow::same([3, 3, 3]))?;
            let gradients = output.sqr()?.sum_all()?.backward()?;
            [&input, &weight, &bias]
                .map(|var| gradients.get(var).expect("gradient").flatten_all()?.to_vec1::<f32>())
                .into_iter()
                .collect::<Result<Vec<_>>>()
        })
    };
    assert_eq!(run(1)?, run(3)?);
    Ok(())
}

#[test]
fn a_frozen_network_computes_no_gradient_for_its_weights() -> Result<()> {
    let input = Var::from_tensor(&wave(&[1, 2, 6, 6], 0.3, 0.0))?;
    let weight = wave(&[3, 2, 3, 3], 0.8, 0.0);
    let gradients = conv2d(&input, &weight, None, 1, 1)?.sum_all()?.backward()?;
    assert!(gradients.get(&input).is_some());
    assert!(gradients.get(&weight).is_none());
    Ok(())
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let window = ConvWindow::same([3, 3, 3]);
    let input = wave(&[1, 2, 4, 5, 6], 0.3, 0.0);
    assert!(conv3d(&input, &wave(&[4, 3, 3, 3, 3], 0.1, 0.0), None, window).is_err());
    assert!(conv3d(&input, &wave(&[4, 2, 9, 3, 3], 0.1, 0.0), None, window).is_err());
    let weight = wave(&[4, 2, 3, 3, 3], 0.1, 0.0);
    assert!(conv3d(&input, &weight, Some(&wave(&[3], 0.1, 0.0)), window).is_err());
    assert!(conv3d_input_gradient(&input, &weight, [1, 2, 4, 5, 6], window).is_err());
    assert!(max_pool_2x2(&wave(&[3, 1, 4], 0.1, 0.0)).is_err());
    assert!(max_unpool_2x2(&wave(&[3, 1, 4], 0.1, 0.0), &wave(&[3, 2, 4], 0.1, 0.0)).is_err());
}

/// ```python
/// x = torch.tensor([[1., 1, 0, 2, 9], [0, 1, 2, 2, 9], [-3, -1, 0, -0., 9]]).reshape(1, 1, 3, 5).requires_grad_()
/// y = torch.nn.functional.max_pool2d(x, 2); (y * torch.tensor([5., 7])).sum().backward(); print(y, x.grad)
/// ```
#[test]
fn max_pooling_routes_its_gradient_to_the_first_winner() -> Result<()> {
    let values = [1_f32, 1., 0., 2., 9., 0., 1., 2., 2., 9., -3., -1., 0., -0., 9.];
    let input = Var::from_tensor(&Tensor::new(&values, &Device::Cpu)?.reshape((1, 1, 3, 5))?)?;
    let direction = Tensor::new(&[[[[5_f32, 7.]]]], &Device::Cpu)?;
    for pool in [max_pool_2x2 as fn(&Tensor) -> Result<Tensor>, stock::max_pool_2x2] {
        let output = pool(&input)?;
        assert_eq!(output.flatten_all()?.to_vec1::<f32>()?, [1., 2.]);
        let gradients = (output * &direction)?.sum_all()?.backward()?;
        let gradient = gradients.get(&input).expect("gradient").flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(gradient, [5., 0., 0., 7., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
    }
    let large = wave(&[2, 3, 4, 11, 8], 0.9, 0.3);
    let pooled = max_pool_2x2(&large)?;
    assert_eq!(largest_difference(&pooled, &stock::max_pool_2x2(&large)?), 0.0);
    let unpooled = max_unpool_2x2(&pooled, &large)?;
    assert_eq!(largest_difference(&unpooled, &stock::max_unpool_2x2(&pooled, &large)?), 0.0);
    Ok(())
}

#[test]
fn relu_has_no_gradient_at_zero_and_passes_nan() -> Result<()> {
    for relu in [relu as fn(&Tensor) -> Result<Tensor>, stock::relu] {
        let input = Var::from_tensor(&Tensor::new(&[-1_f32, 0., 2.], &Device::Cpu)?)?;
        let output = relu(&input)?;
        assert_eq!(output.to_vec1::<f32>()?, [0., 0., 2.]);
        let gradients = output.sum_all()?.backward()?;
        assert_eq!(gradients.get(&input).expect("gradient").to_vec1::<f32>()?, [0., 0., 1.]);
        let bad = relu(&Tensor::new(&[f32::NAN], &Device::Cpu)?)?.to_vec1::<f32>()?;
        assert!(bad[0].is_nan());
    }
    Ok(())
}

#[test]
fn several_targets_are_routed_to_the_winners_of_the_same_samples() -> Result<()> {
    // Two samples of three channels, two slices and odd planes; ties by rounding; three targets.
    let input = (wave(&[2, 3, 2, 9, 23], 0.7, 0.0) * 4.0)?.round()?;
    let pooled = wave(&[6, 3, 2, 4, 11], 1.1, 0.2);
    let routed = max_unpool_2x2(&pooled, &input)?;
    assert_eq!(routed.dims(), [6, 3, 2, 9, 23]);
    for target in 0..3 {
        let alone = max_unpool_2x2(&pooled.narrow(0, 2 * target, 2)?, &input)?;
        assert_eq!(largest_difference(&routed.narrow(0, 2 * target, 2)?, &alone), 0.0);
        assert_eq!(largest_difference(&alone, &stock::max_unpool_2x2(&pooled.narrow(0, 2 * target, 2)?, &input)?), 0.0);
    }
    let sum = max_unpool_2x2_channel_sum(&pooled, &input)?;
    assert!(largest_difference(&sum, &routed.sum(1)?) < 1e-5);
    // Double precision goes the way of other devices.
    let elsewhere = max_unpool_2x2_channel_sum(&pooled.to_dtype(DType::F64)?, &input.to_dtype(DType::F64)?)?;
    assert!(largest_difference(&sum, &elsewhere.to_dtype(DType::F32)?) < 1e-5);
    assert!(max_unpool_2x2(&pooled.narrow(0, 0, 5)?, &input).is_err());
    Ok(())
}
